import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** A worker goes on with files of its own project only. */
const PROJECTS: readonly string[] = ['browsers', 'crash', 'apart', 'quick']

/** The files that take longest, the longest first. They begin first, so that no worker is left alone with one at the end. */
const LONGEST: readonly string[] = [
  'test/runtimes/runtimes',
  'test/browser/demo',
  'test/browser/outbox',
  'test/readme/readme',
  'test/browser/indexeddb',
  'test/browser/attempts',
  'test/conformance/indexeddb',
  'test/browser/people',
  'test/faults/histories',
  'test/browser/inspector',
  'test/browser/upload',
  'test/browser/',
  'test/conformance/postgres',
  'test/conformance/redis',
  'test/conformance/durable-object',
  'test/demo/edge',
  'test/cli/commands',
  'test/conformance/suite',
  'test/soak/',
  'test/conformance/fs',
  'test/cli/live',
  'test/redis/backlog',
  'test/redis/cluster',
  'test/conformance/',
  'test/cli/',
  'test/fs/every-call',
  'test/fs/salvage',
  'test/demo/',
  'test/life/',
  'test/schedule/',
  'test/durable-object/',
  'test/cloudflare-kv/limits',
  'test/postgres/',
  'test/sqlite/kill',
  'test/security/forged',
  'test/faults/',
  'test/environments/',
  'test/key-value/',
  'test/fs/',
  'test/redis/',
]

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const length = ({ moduleId }: TestSpecification): number => {
      const found = LONGEST.findIndex((name) => moduleId.includes(name))
      return found === -1 ? LONGEST.length : found
    }
    const project = (one: TestSpecification): number => PROJECTS.indexOf(one.project.name)
    return (await super.sort(files)).toSorted((a, b) => project(a) - project(b) || length(a) - length(b))
  }
}
