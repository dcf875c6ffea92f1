import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take longest, the longest first. They begin first, so that no worker is left alone with one at the end. */
const LONGEST: readonly string[] = [
  'test/runtimes/runtimes',
  'test/conformance/postgres',
  'test/conformance/redis-http',
  'test/conformance/durable-object',
  'test/faults/histories',
  'test/browser/demo',
  'test/browser/indexeddb',
  'test/browser/attempts',
  'test/browser/outbox',
  'test/conformance/redis',
  'test/readme/readme',
  'test/conformance/indexeddb',
  'test/cli/commands',
  'test/browser/',
  'test/soak/',
  'test/fs/every-call',
  'test/fs/salvage',
  'test/redis/backlog',
  'test/conformance/',
  'test/cli/',
  'test/schedule/',
  'test/durable-object/',
  'test/cloudflare-kv/limits',
  'test/redis/cluster',
  'test/crash/kill',
  'test/postgres/',
  'test/sqlite/kill',
  'test/security/forged',
  'test/faults/',
  'test/demo/',
  'test/environments/',
  'test/key-value/',
  'test/fs/',
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
