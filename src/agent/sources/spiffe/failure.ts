/** How a gRPC call fails (gRPC, "Status codes and their use in gRPC"). */

/** The server said no with a status code, or did not speak gRPC (`status` null). */
export class GrpcError extends Error {
  override readonly name = 'GrpcError'
  readonly status: number | null

  constructor(status: number | null, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

/** The codes that are told apart here. */
export const STATUS = {
  deadlineExceeded: 4,
  permissionDenied: 7,
  unavailable: 14,
} as const
