/** What `import … from 'countersign'` gives: the broker as a library, for a server of one's own. */

export { type AuditSink, fileSink, streamSink } from './audit.ts'
export { type Broker, createBroker, type World } from './broker.ts'
export { type Config, type Loaded, loadConfig } from './config.ts'
export { countersign } from './http/plugin.ts'
