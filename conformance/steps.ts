import type * as FastCheck from 'fast-check'
import type { Step, StepSettlement } from './history.ts'

/**
 * What clients do, at random, for {@link runHistory}: short times and few names, so that they get in each other's way. A history
 * that fails is cut down by fast-check.
 *
 * ```ts
 * import * as fc from 'fast-check'
 * import { historySteps, runHistory } from 'quayside-conformance'
 *
 * await fc.assert(fc.asyncProperty(historySteps(fc), (steps) => runHistory(factory, steps)), { numRuns: 500 })
 * ```
 *
 * @param fc `fast-check`, 4, which you install.
 * @param maxSteps The most steps of one history. @defaultValue 25
 * @param groups Of one group, or of 3. @defaultValue 3
 */
export function historySteps(
  fc: typeof FastCheck,
  maxSteps: number = 25,
  groups: 1 | 3 = 3,
): FastCheck.Arbitrary<Step[]> {
  const view = fc.nat(1)
  const ms = fc.constantFrom(0, 50, 100, 200)

  function maybe<T>(arbitrary: FastCheck.Arbitrary<T>, freq = 3): FastCheck.Arbitrary<T | undefined> {
    return fc.option(arbitrary, { nil: undefined, freq })
  }

  /** `undefined` most of the time. */
  function rarely<T>(arbitrary: FastCheck.Arbitrary<T>, weight = 1): FastCheck.Arbitrary<T | undefined> {
    return fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight, arbitrary })
  }

  const message = fc.record({
    id: rarely(fc.nat(3), 3),
    key: rarely(fc.nat(2), 4),
    lane: rarely(fc.nat(2), 5),
    headers: rarely(fc.constant(true)),
    delayMs: rarely(fc.constantFrom(50, 100, 200)),
    expiresInMs: rarely(fc.constantFrom(50, 100, 150, 300)),
    maxAttempts: rarely(fc.constantFrom(1, 2)),
    replace: rarely(fc.constant(true), 3),
    dedupeMs: rarely(fc.constantFrom(100, 300), 2),
    maxDelayMs: rarely(fc.constantFrom(100, 200), 2),
    keepMs: rarely(fc.constantFrom(50, 100, 400), 3),
  })

  const settlement: FastCheck.Arbitrary<StepSettlement> = fc.record({
    receipt: fc.oneof(
      { weight: 6, arbitrary: fc.nat(3) },
      { weight: 3, arbitrary: fc.nat(20) },
      { weight: 1, arbitrary: fc.constant(-1) },
    ),
    kind: fc.constantFrom('ack', 'ack', 'ack', 'retry', 'retry', 'dead', 'park', 'extend'),
    ms,
    error: maybe(fc.constantFrom('boom', '')),
    counts: rarely(fc.constant(false)),
    value: maybe(fc.constantFrom('some', '')),
  })

  const states = rarely(
    fc.subarray(['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead', 'done'] as const, {
      minLength: 1,
    }),
    5,
  )

  /** The first group is used most. */
  const anyGroup = fc.oneof(
    { weight: 5, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.constant(1) },
    fc.constant(2),
  )

  const stepIn = (group: FastCheck.Arbitrary<number>): FastCheck.Arbitrary<Step> =>
    fc.oneof(
      {
        weight: 10,
        arbitrary: fc.record({
          verb: fc.constant('append' as const),
          view,
          messages: fc.array(message, { minLength: 1, maxLength: 4 }),
          groups: rarely(fc.array(group, { minLength: 1, maxLength: 2 })),
        }),
      },
      {
        weight: 14,
        arbitrary: fc.record({
          verb: fc.constant('claim' as const),
          view,
          group,
          limit: fc.constantFrom(1, 2, 3, 20, 20),
          leaseMs: fc.constantFrom(50, 100, 100, 250),
          from: fc.constantFrom('earliest' as const, 'latest' as const),
          settle: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(settlement, { maxLength: 3 })),
          groups: rarely(fc.array(group, { minLength: 1, maxLength: 2 })),
          rules: rarely(fc.nat(4)),
          only: rarely(fc.nat(2)),
          inHand: rarely(fc.nat(5)),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          verb: fc.constantFrom('hold' as const, 'hold' as const, 'release' as const),
          view,
          group: maybe(group),
          lane: maybe(fc.nat(2)),
          forMs: maybe(fc.constantFrom(50, 100, 200)),
          probe: maybe(fc.boolean()),
        }),
      },
      {
        weight: 12,
        arbitrary: fc.record({
          verb: fc.constant('settle' as const),
          view,
          group: rarely(group),
          settlements: fc.array(settlement, { minLength: 1, maxLength: 4 }),
        }),
      },
      {
        weight: 7,
        arbitrary: fc.record({
          verb: fc.constant('advance' as const),
          ms: fc.constantFrom(1, 49, 50, 50, 99, 100, 100, 150, 400, 3_600_000),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          verb: fc.constant('list' as const),
          view,
          group,
          states,
          limit: fc.constantFrom(1, 2, 5),
          ids: rarely(fc.array(fc.nat(8), { maxLength: 5 }), 3),
          lane: rarely(fc.nat(3), 2),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          verb: fc.constant('cancel' as const),
          view,
          ids: fc.array(fc.nat(8), { minLength: 1, maxLength: 3 }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          verb: fc.constant('retryNow' as const),
          view,
          group,
          ids: fc.array(fc.nat(8), { minLength: 1, maxLength: 3 }),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          verb: fc.constant('resume' as const),
          view,
          group: maybe(group),
          ids: fc.array(fc.nat(8), { minLength: 1, maxLength: 3 }),
          edit: maybe(
            fc.record({
              expiresInMs: rarely(fc.constantFrom(50, 100, 300), 2),
              maxAttempts: rarely(fc.constantFrom(1, 2)),
            }),
          ),
        }),
      },
      { weight: 1, arbitrary: fc.record({ verb: fc.constant('deleteGroup' as const), view, group }) },
      { weight: 1, arbitrary: fc.record({ verb: fc.constant('purge' as const), view }) },
      { weight: 1, arbitrary: fc.record({ verb: fc.constant('delete' as const), view }) },
      { weight: 2, arbitrary: fc.record({ verb: fc.constant('reopen' as const) }) },
    )

  return fc.array(stepIn(groups === 1 ? fc.constant(0) : anyGroup), {
    minLength: 1,
    maxLength: maxSteps,
    size: 'max',
  })
}
