import { type TestOptions, afterAll, describe, expect, test } from 'vitest'
import { type ConformanceCase, type ConformanceFactory, conformanceCases } from '../../conformance/index.ts'
import type { Suite } from '../runtimes/inside/suite.ts'
import { effort, howMany } from '../support/effort.ts'
import { seedOf } from '../support/lots.ts'
import { type CheckOptions, checkHistories } from './check.ts'
import { coreOf, smallOf } from './core.ts'

/** The suite as another context runs it, and random histories besides. */
export interface RemoteSuite extends Suite {
  histories(options: CheckOptions): Promise<string | null>
}

/** Cases that do not apply for a reason that guarantees cannot tell, by name, with that reason. */
export type Exceptions = Readonly<Record<string, string>>

export interface ConformanceOptions {
  readonly exceptions?: Exceptions | undefined
  /** What `npm test` runs. @defaultValue `all` */
  readonly quick?: Quick | undefined
}

/**
 * `small`: all but those that send or ask thousands of times, which run on the same code elsewhere, and where each call costs
 * much here. `core`: the first cases of each section, because all run on the same code elsewhere. `first`: the first of each
 * section, because it is only another client of what runs the core.
 */
type Quick = 'all' | 'small' | 'core' | 'first'

const QUICK: Readonly<
  Record<Quick, <C extends { readonly name: string }>(cases: readonly C[]) => readonly C[]>
> = {
  all: (cases) => cases,
  small: smallOf,
  core: (cases) => coreOf(cases),
  first: (cases) => coreOf(cases, 1),
}

/** Registers all cases for a storage, and says which do not apply and why. */
export function registerConformance(
  name: string,
  factory: ConformanceFactory,
  { exceptions, quick }: ConformanceOptions = {},
): void {
  registerCases(name, chosen(name, conformanceCases(factory), { exceptions, quick }), { exceptions })
}

function chosen<C extends { readonly name: string }>(
  name: string,
  cases: readonly C[],
  { exceptions = {}, quick = 'all' }: ConformanceOptions,
): readonly C[] {
  for (const title of Object.keys(exceptions))
    if (!cases.some((one) => one.name === title)) throw new Error(`${name}: there is no case ${title}`)
  return QUICK[effort<Quick>({ quick, full: 'all' })](cases)
}

/** As {@link registerConformance}, for a suite that runs elsewhere; its cases have to be known before it is there. */
export function registerConformanceIn(
  name: string,
  factory: ConformanceFactory,
  suite: () => RemoteSuite,
  { exceptions, quick }: ConformanceOptions = {},
): void {
  const cases = conformanceCases(factory)
  const theirs = cases.map(({ name: title, skip }, i) => ({
    name: title,
    skip,
    run: async () => {
      const failure = await suite().run(i)
      if (failure !== null) expect.fail(failure)
    },
  }))
  registerCases(name, chosen(name, theirs, { exceptions, quick }), { exceptions })
  test(`the cases of ${name} are those that are known here`, async () => {
    expect(await suite().cases()).toEqual(cases.map((one) => ({ name: one.name, skip: one.skip ?? null })))
  })
}

/** Registers some cases. */
export function registerCases(
  name: string,
  cases: readonly ConformanceCase[],
  { exceptions = {}, ...options }: TestOptions & Pick<ConformanceOptions, 'exceptions'> = {},
): void {
  describe(`conformance of ${name}`, () => {
    const skipped = new Map<string, string[]>()
    for (const { name: title, skip: declared, run } of cases) {
      const skip = declared ?? exceptions[title]
      // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- Cases throw, and bring their names.
      test(title, options, async (context) => {
        if (skip === undefined) return await run()
        skipped.set(skip, [...(skipped.get(skip) ?? []), title])
        return context.skip(skip)
      })
    }
    afterAll(() => {
      for (const [reason, titles] of skipped) {
        console.log(`${name} skips ${titles.length} cases, because ${reason}:\n  ${titles.join('\n  ')}`)
      }
    })
  })
}

export interface HistoryOptions {
  /** How many: of `npm test`, and of `npm run test:all`. */
  readonly runs: { readonly quick: number; readonly full: number }
  readonly maxSteps?: number
  /** How many run at once, where a storage spends its time waiting. */
  readonly lanes?: number
  /** How many groups there are. */
  readonly groups?: 1 | 3
}

/** How a history that failed is run again: `SEED=… PATH_=…`. `RUNS` runs more of them, or fewer. */
const { SEED, PATH_ } = process.env

/** Registers random histories against the model. */
export function registerHistories(name: string, factory: ConformanceFactory, options: HistoryOptions): void {
  registerChecks(name, options, (checked) => checkHistories(name, factory, checked))
}

/** As {@link registerHistories}, for a suite that runs elsewhere. */
export function registerHistoriesIn(name: string, suite: () => RemoteSuite, options: HistoryOptions): void {
  registerChecks(name, options, async (checked) => (await suite().histories(checked)) ?? undefined)
}

function registerChecks(
  name: string,
  { runs, maxSteps = 25, lanes = 1, groups = 3 }: HistoryOptions,
  check: (options: CheckOptions) => Promise<string | undefined>,
): void {
  const all = howMany('RUNS', runs)
  test(
    `histories of ${name} are as the model permits, ${all} of up to ${maxSteps} steps`,
    { timeout: 900_000 },
    async () => {
      const replayed = SEED === undefined ? undefined : Number(SEED)
      const failures = await Promise.all(
        Array.from({ length: replayed === undefined ? lanes : 1 }, (_, i) => {
          const seed = replayed ?? seedOf(`${name} ${i}`)
          return check({ maxSteps, groups, runs: Math.ceil(all / lanes), seed, path: PATH_ })
        }),
      )
      expect(failures.find((failure) => failure !== undefined)).toBeUndefined()
    },
  )
}
