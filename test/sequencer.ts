import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take longest, the longest first. They begin first, so that no worker is left alone with one at the end. */
const LONGEST: readonly string[] = [
  'test/runtimes/runtimes',
  'test/conformance/durable-object',
  'test/conformance/suite',
  'test/browser/indexeddb',
  'test/browser/outbox',
  'test/cli/',
  'test/conformance/indexeddb',
  'test/soak/',
  'test/fs/every-call',
  'test/conformance/redis',
  'test/readme/',
  'test/conformance/fs',
  'test/browser/demo',
  'test/crash/kill',
  'test/redis/backlog',
  'test/faults/',
  'test/cloudflare-kv/limits',
  'test/redis/cluster',
  'test/fs/',
  'test/browser/',
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
