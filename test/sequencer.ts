import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take longest, the longest first. They begin first, so that no worker is left alone with one at the end. */
const LONGEST: readonly string[] = [
  'test/runtimes/runtimes',
  'test/browser/attempts',
  'test/conformance/durable-object',
  'test/browser/indexeddb',
  'test/conformance/redis',
  'test/conformance/indexeddb',
  'test/browser/outbox',
  'test/cli/live',
  'test/browser/demo',
  'test/fs/every-call',
  'test/fs/salvage',
  'test/soak/',
  'test/conformance/fs',
  'test/conformance/suite',
  'test/faults/histories',
  'test/cloudflare-kv/limits',
  'test/redis/backlog',
  'test/conformance/',
  'test/cli/',
  'test/readme/',
  'test/crash/kill',
  'test/redis/cluster',
  'test/faults/',
  'test/demo/',
  'test/fs/',
  'test/browser/',
  'test/redis/',
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
