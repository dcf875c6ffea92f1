import process from 'node:process'
import { tell } from './out.ts'

/** The lines of a text that comes in pieces. Only a line feed ends one: JSON may hold the other separators of Unicode. */
export async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  // Pieces of a line whose end has not come. Not one text that grows: to look through it each time would take a long line
  // the square of its length.
  let pieces: string[] = []
  for await (const bytes of source) {
    const [first = '', ...lines] = decoder.decode(bytes, { stream: true }).split('\n')
    pieces.push(first)
    for (const line of lines) {
      yield pieces.join('')
      pieces = [line]
    }
  }
  pieces.push(decoder.decode())
  const rest = pieces.join('')
  if (rest !== '') yield rest
}

/** Characters that are handed out at once, or a line that has more. */
const AT_ONCE = 4 * 1024 * 1024

/** The lines of standard input, without empty ones, so many at a time, or less where they are long. */
export async function* batchesOfLines(most: number): AsyncGenerator<readonly string[]> {
  if (process.stdin.isTTY) tell('reading lines from standard input; Ctrl-D ends it')
  let batch: string[] = []
  let length = 0
  for await (const line of linesOf(process.stdin as AsyncIterable<Uint8Array>)) {
    const text = line.endsWith('\r') ? line.slice(0, -1) : line
    if (text.trim() === '') continue
    batch.push(text)
    length += text.length
    if (batch.length < most && length < AT_ONCE) continue
    yield batch
    batch = []
    length = 0
  }
  if (batch.length > 0) yield batch
}
