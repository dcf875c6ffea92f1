import {
  type Check,
  type Checks,
  checkBoolean,
  checkCount,
  checkMs,
  checkName,
  checkPositiveMs,
  mustBe,
} from '../check.ts'
import { checkLane } from './lane-rules.ts'
import type { MessageOptions } from './message-options.ts'

// `Headers` and `Map` have entries of their own kind, which would be lost without a word.
export const checkHeaders: Check = mustBe(
  'a plain object of strings (try Object.fromEntries)',
  (headers) => typeof headers === 'object' && headers !== null && !(Symbol.iterator in headers),
)

/** What may be said of a message. */
export const MESSAGE: Checks & Readonly<Record<keyof MessageOptions, Check>> = {
  id: checkName,
  key: checkName,
  lane: checkLane,
  headers: checkHeaders,
  delayMs: checkMs,
  expiresInMs: checkPositiveMs,
  maxAttempts: checkCount,
  replace: checkBoolean,
  maxDelayMs: checkPositiveMs,
  keepMs: checkMs,
  dedupeMs: checkMs,
}
