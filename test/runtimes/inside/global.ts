import type { ConformanceFactory } from '../../../conformance/index.ts'
import { suiteOf } from './suite.ts'

/** Leaves the suite where whoever evaluates code in this context finds it: in the global `suite`. */
export function host(factory: () => ConformanceFactory): void {
  Object.assign(globalThis, { suite: suiteOf(factory()) })
}
