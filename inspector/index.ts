/**
 * `quayside/inspector`: `<quayside-inspector>`, a live picture of a queue, without a framework.
 *
 * ```ts
 * import 'quayside/inspector'
 *
 * document.querySelector('quayside-inspector').queue = queue
 * ```
 *
 * Importing it defines the element, once. Where there are no custom elements (Node, workers) it does nothing.
 *
 * @module
 */
import { QuaysideInspector } from './element.ts'

export { QuaysideInspector }
export type { InspectedQueue } from './inspected-queue.ts'

const NAME = 'quayside-inspector'

declare global {
  interface HTMLElementTagNameMap {
    [NAME]: QuaysideInspector
  }
}

if (globalThis.customElements !== undefined && customElements.get(NAME) === undefined)
  customElements.define(NAME, QuaysideInspector)
