import { coreOf } from '../conformance/core.ts'
import type { Column } from './columns.ts'
import type { InstalledPackage } from './installed.ts'
import type { SuiteCase } from './inside/suite.ts'
import type { Runtime, Session } from './runtime.ts'
import type { Servers } from '../support/servers.ts'

/** How long a case may take, in ms, before its runtime is given up. */
const PATIENCE_MS = 300_000

/** So many cases run at once: most storages spend their time waiting. */
const LANES = 4

/** What came of one storage in one runtime. */
export interface Cell {
  readonly runtime: string
  readonly version: string
  readonly adapter: string
  readonly passed: number
  readonly skipped: readonly SuiteCase[]
  /** What went wrong, a text for each case. */
  readonly failures: readonly string[]
  readonly seconds: number
}

/** Why a storage cannot be in a runtime. */
export function absence({ has }: Runtime, { needs }: Column): string | undefined {
  return needs === undefined || has.includes(needs) ? undefined : `needs ${needs}`
}

/** Runs every case of a storage in a runtime, or the first of each section. Never rejects: what goes wrong is a failure. */
export async function runCell(
  installed: InstalledPackage,
  servers: Servers,
  runtime: Runtime,
  column: Column,
  which: 'all' | 'core' = 'all',
): Promise<Cell> {
  const start = performance.now()
  const skipped: SuiteCase[] = []
  const failures: string[] = []
  let passed = 0
  let session: Session | undefined
  try {
    const { adapter, options, place, worker } = column
    session = await runtime.open(installed, {
      factory: adapter,
      options: { ...options?.(runtime), ...(await place?.(servers)) },
      worker,
    })
    const { suite } = session
    const cases = await inTime('the list of cases', suite.cases())
    const core = new Set(which === 'core' ? coreOf(cases, 1) : cases)
    const rest = cases.entries()
    const lane = async (): Promise<void> => {
      for (const [i, one] of rest) {
        if (one.skip !== null) {
          skipped.push(one)
          continue
        }
        if (!core.has(one)) continue
        const failure = await inTime(one.name, suite.run(i))
        if (failure === null) passed++
        else failures.push(`${one.name}\n${failure}`)
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    if (cases.length === 0) failures.push('there are no cases')
  } catch (error) {
    failures.push(error instanceof Error ? error.message : String(error))
  }
  await session?.close()
  return {
    runtime: runtime.name,
    version: session?.version ?? '?',
    adapter: column.adapter,
    passed,
    skipped,
    failures,
    seconds: (performance.now() - start) / 1000,
  }
}

async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(new Error(`${what}: nothing after ${PATIENCE_MS / 1000} s; the cases behind it were not run`)),
      PATIENCE_MS,
    )
  })
  try {
    return await Promise.race([promise, late])
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}
