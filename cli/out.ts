import { once } from 'node:events'
import process from 'node:process'
import { isatty } from 'node:tty'
import { redact } from './secrets.ts'
import { escapeUnsafe } from './width.ts'

/** Where a pipe ends that tells no width. */
const WIDTH = 120

/** Standard output, and what is known of it. */
export class Out {
  readonly isTerminal: boolean = isatty(1)

  /** Cells of a line. */
  get width(): number {
    return process.stdout.columns ?? (Number(process.env['COLUMNS']) || WIDTH)
  }

  /** Waits where the reader is slower. */
  async write(text: string): Promise<void> {
    if (!process.stdout.write(text)) await once(process.stdout, 'drain')
  }

  json(value: unknown): Promise<void> {
    const text = JSON.stringify(value)
    // The same value, but nothing that a terminal obeys. JSON itself escapes no more than C0.
    return this.write(`${this.isTerminal ? escapeUnsafe(text) : text}\n`)
  }
}

/** A line for people, on standard error, without passwords. */
export function tell(line: string): void {
  process.stderr.write(`${redact(line)}\n`)
}
