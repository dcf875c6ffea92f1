import { expectTypeOf, test } from 'vitest'
import { Queue, type Verdict } from '../../src/index.ts'
import {
  type Schedule,
  type When,
  drainSchedules,
  fireSchedules,
  listSchedules,
  runSchedules,
  schedule,
} from '../../src/schedule/index.ts'

interface Job {
  readonly task: string
}

const queue = new Queue<Job>('jobs')

/** Never called: what is in it is only compiled. */
function compiled(_: () => unknown): void {
  // Nothing to run.
}

test('a schedule sends what its queue carries', () => {
  compiled(async () => {
    const said = await schedule(queue, 's', { cron: '@daily' }, { payload: { task: 'a' }, lane: 'l' })
    expectTypeOf(said).toEqualTypeOf<'stored' | 'replaced' | 'unchanged'>()
    expectTypeOf((await listSchedules(queue)).schedules).toEqualTypeOf<readonly Schedule<Job>[]>()
    expectTypeOf(runSchedules(queue)).resolves.toEqualTypeOf<void>()
    expectTypeOf(drainSchedules(queue)).resolves.toEqualTypeOf<number>()
    expectTypeOf(fireSchedules(queue, [])).resolves.toEqualTypeOf<Verdict[] | undefined>()
    // @ts-expect-error A job has a task.
    void schedule(queue, 's', { everyMs: 1000 }, { payload: { job: 'a' } })
    // @ts-expect-error Its id is made of its name and the instant.
    void schedule(queue, 's', { everyMs: 1000 }, { payload: { task: 'a' }, id: 'a' })
    // @ts-expect-error It has a payload.
    void schedule(queue, 's', { everyMs: 1000 }, {})
  })
})

test('it has either a pattern or a distance', () => {
  expectTypeOf<When['catchUp']>().toEqualTypeOf<'none' | 'last' | 'all' | undefined>()
  compiled(() => {
    const payload = { task: 'a' }
    void schedule(queue, 's', { cron: '@daily', timeZone: 'Europe/Berlin', catchUp: 'all' }, { payload })
    // @ts-expect-error Not both.
    void schedule(queue, 's', { cron: '@daily', everyMs: 1000 }, { payload })
    // @ts-expect-error One of them.
    void schedule(queue, 's', { catchUp: 'all' }, { payload })
    // @ts-expect-error A distance knows no time zone.
    void schedule(queue, 's', { everyMs: 1000, timeZone: 'UTC' }, { payload })
    // @ts-expect-error There is no such way to catch up.
    void schedule(queue, 's', { everyMs: 1000, catchUp: 'some' }, { payload })
  })
})
