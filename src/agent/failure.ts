/** The one error of the agent library. */

/** The broker or the platform said no, or could not be asked. `requestId` is what its operator needs to say why. */
export class AgentError extends Error {
  readonly code: string
  readonly requestId: string | null

  constructor(code: string, message: string, requestId: string | null, options?: ErrorOptions) {
    super(message, options)
    this.name = 'AgentError'
    this.code = code
    this.requestId = requestId
  }
}
