import process from 'node:process'
import { tell } from './out.ts'

/** The lines of a text that comes in pieces. Only a line feed ends one: JSON may hold the other separators of Unicode. */
export async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of source) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop()!
    yield* lines
  }
  rest += decoder.decode()
  if (rest !== '') yield rest
}

/** The lines of standard input, without empty ones, so many at a time. */
export async function* batchesOfLines(most: number): AsyncGenerator<readonly string[]> {
  if (process.stdin.isTTY) tell('reading lines from standard input; Ctrl-D ends it')
  let batch: string[] = []
  for await (const line of linesOf(process.stdin as AsyncIterable<Uint8Array>)) {
    const text = line.replace(/\r$/, '')
    if (text.trim() === '') continue
    batch.push(text)
    if (batch.length < most) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
