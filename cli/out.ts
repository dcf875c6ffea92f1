import { once } from 'node:events'
import process from 'node:process'
import { isatty } from 'node:tty'
import { redact } from './secrets.ts'

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
    return this.write(`${JSON.stringify(value)}\n`)
  }
}

/** A line for people, on standard error, without passwords. */
export function tell(line: string): void {
  process.stderr.write(`${redact(line)}\n`)
}
