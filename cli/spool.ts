import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { linesOf } from './lines.ts'

/** Characters that are written at once. */
const AT_ONCE = 256 * 1024

/** Lines that are put aside in a temporary file, because there may be more than fit into memory. */
export class Spool {
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'quayside-import-'))
  readonly #path: string = join(this.#folder, 'lines')
  readonly #fd: number = openSync(this.#path, 'wx')
  #pending: string[] = []
  #length = 0

  add(line: string): void {
    this.#pending.push(line, '\n')
    this.#length += line.length
    if (this.#length > AT_ONCE) this.#flush()
  }

  /** The lines, in order. */
  lines(): AsyncIterable<string> {
    this.#flush()
    return linesOf(createReadStream(this.#path) as AsyncIterable<Uint8Array>)
  }

  remove(): void {
    closeSync(this.#fd)
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #flush(): void {
    writeSync(this.#fd, this.#pending.join(''))
    this.#pending = []
    this.#length = 0
  }
}
