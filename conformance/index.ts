/**
 * The suite that a storage adapter has to pass: every rule of contract 1 as a case that rejects when the rule is broken.
 * It needs no test runner and no runtime of its own, so it runs wherever the adapter does.
 *
 * @module
 */
export type { Backend, ConformanceFactory } from './backend.ts'
export type { CaseClock, ConformanceClock } from './clock.ts'
export {
  type CrashOptions,
  type CrashProcess,
  type CrashReport,
  type WorkOptions,
  runCrashes,
  workUntilKilled,
} from './crashes.ts'
export { ConformanceError } from './assert.ts'
export { type ConformanceCase, conformanceCases } from './suite.ts'
export { type StoreBackend, type StoreFactory, storeCases } from './store-cases.ts'
export {
  type AppendStep,
  type HistoryTime,
  type ResumeStep,
  type Step,
  type StepSettlement,
  describeStep,
  runHistory,
} from './history.ts'
export { historySteps } from './steps.ts'
