import { readFileSync } from 'node:fs'

/** The lines of a file, blank ones too. */
export function readLines(file: string): string[] {
  const lines = readFileSync(file, 'utf8').split(/\r?\n/)
  // What ends with a line break has no further line behind it.
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** The id of a line: the same in every attempt to send it, and its idempotency key on the way out. */
export function lineId(index: number): string {
  return `line-${String(index + 1).padStart(6, '0')}`
}

/** How a line stands in the files of the downstream server and of the audit. */
export function record(id: string, text: string): string {
  return `${id}\t${text}\n`
}
