import { createInterface } from 'node:readline'
import process from 'node:process'
import type { ConformanceFactory } from '../../../src/conformance/index.ts'
import { type Suite, suiteOf } from './suite.ts'

/** Serves the suite over standard input and output: a call or an answer is a line of JSON. */
export async function host(factory: () => ConformanceFactory): Promise<void> {
  const suite = suiteOf(factory())
  for await (const line of createInterface({ input: process.stdin })) {
    const [verb, argument] = JSON.parse(line) as [keyof Suite, number]
    process.stdout.write(`${JSON.stringify(await suite[verb](argument))}\n`)
  }
}
