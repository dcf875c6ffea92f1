import { createInterface } from 'node:readline'
import process from 'node:process'
import type { ConformanceFactory } from '../../../conformance/index.ts'
import { type Suite, suiteOf } from './suite.ts'

/** Serves the suite over standard input and output: a call or an answer is a line of JSON, with the number of the call. */
export async function host(factory: () => ConformanceFactory): Promise<void> {
  const suite = suiteOf(factory())
  const answer = async (id: number, verb: keyof Suite, argument: number): Promise<void> => {
    process.stdout.write(`${JSON.stringify([id, await suite[verb](argument)])}\n`)
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const [id, verb, argument] = JSON.parse(line) as [number, keyof Suite, number]
    void answer(id, verb, argument)
  }
  // Connections may be open.
  process.exit()
}
