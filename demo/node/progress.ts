import { styleText } from 'node:util'

/** Where the progress goes: `process.stdout`, or a test. */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/**
 * Events, one a line, and below them one line that says how far everything is: rewritten in place on a terminal, written
 * anew every second elsewhere.
 */
export class Progress {
  readonly #out: Output
  readonly #status: () => readonly string[]
  readonly #startedAt: number = performance.now()
  readonly #timer: ReturnType<typeof setInterval>

  constructor(out: Output, status: () => readonly string[]) {
    this.#out = out
    this.#status = status
    this.#timer = setInterval(() => this.#show(), out.isTTY ? 100 : 1000)
    this.#timer.unref()
  }

  seconds(): number {
    return (performance.now() - this.#startedAt) / 1000
  }

  /** Says what just happened. */
  event(text: string): void {
    this.#clear()
    this.#out.write(`${this.#time()}  ${this.#style('bold', text)}\n`)
    if (this.#out.isTTY) this.#show()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#clear()
  }

  #show(): void {
    const parts = [this.#time(), ...this.#status()]
    if (!this.#out.isTTY) {
      this.#out.write(`${parts.join('  ')}\n`)
      return
    }
    // A line that breaks could not be rewritten, so what has no room is left out.
    const room = (this.#out.columns ?? 80) - 1
    const gap = room < 100 ? ' ' : '  '
    while (parts.join(gap).length > room) parts.pop()
    const line = parts.join(gap).replace(/KILLED|DOWN/, (word) => this.#style('red', word))
    this.#out.write(`\r\x1b[2K${line}`)
  }

  #clear(): void {
    if (this.#out.isTTY) this.#out.write('\r\x1b[2K')
  }

  #time(): string {
    return `${this.seconds().toFixed(1).padStart(4)}s`
  }

  #style(format: 'bold' | 'red', text: string): string {
    return this.#out.isTTY && !process.env['NO_COLOR']
      ? styleText(format, text, { validateStream: false })
      : text
  }
}
