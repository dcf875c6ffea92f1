/**
 * **quayside/inspector/server**: the inspector for queues of a server, as one `fetch` handler.
 *
 * ```ts
 * import { inspectorHandler } from 'quayside/inspector/server'
 *
 * const inspect = inspectorHandler([orders], { allow: (request) => isAdmin(request) })
 * ```
 *
 * @module
 */
export {
  type InspectedQueues,
  type InspectorHandlerOptions,
  type Permission,
  inspectorHandler,
} from './handler.ts'
export type { InspectedQueue } from '../inspected-queue.ts'
export { type NodeRequest, type NodeResponse, nodeListener } from './node-listener.ts'
