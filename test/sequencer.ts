import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take longest, the longest first. They begin first, so that no worker is left alone with one at the end. */
const LONGEST: readonly string[] = [
  'test/runtimes/runtimes',
  'test/browser/indexeddb',
  'test/browser/outbox',
  'test/conformance/indexeddb',
  'test/conformance/durable-object',
  'test/faults/network',
  'test/crash/kill',
  'test/soak/',
  'test/cli/commands',
  'test/conformance/redis',
  'test/faults/histories',
]

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = LONGEST.findIndex((name) => moduleId.includes(name))
      return found === -1 ? LONGEST.length : found
    }
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b))
  }
}
