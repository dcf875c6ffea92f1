import type { Outcome } from '../src/storage.ts'
import { carry, show, showAll } from './body.ts'
import { cleanLines } from './width.ts'
import { time } from './words.ts'

/** What became of a message, for programs. */
export function outcomeAsJson(outcome: Outcome): object {
  if (outcome.status === 'dead') return outcome
  const { status, at } = outcome
  const body = outcome.status === 'done' ? outcome.value : outcome.progress
  return { status, at, ...(body !== undefined && carry(body)) }
}

/** The same, for people. */
export function outcomeInFull(outcome: Outcome): string {
  const { status, at } = outcome
  if (outcome.status === 'dead') {
    const error = outcome.error === undefined ? '' : `\n${cleanLines(outcome.error)}\n`
    return `dead, ${outcome.reason}, ${time(at)}\n${error}`
  }
  const body = outcome.status === 'done' ? outcome.value : outcome.progress
  return `${status}, ${time(at)}\n${body === undefined ? '' : `\n${cleanLines(showAll(body))}\n`}`
}

/** On one line. */
export function outcomeInShort(outcome: Outcome): string {
  if (outcome.status === 'dead') return `${outcome.reason}: ${outcome.error ?? ''}`
  const body = outcome.status === 'done' ? outcome.value : outcome.progress
  return body === undefined ? '' : show(body)
}
