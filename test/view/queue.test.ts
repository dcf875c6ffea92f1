import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Source, live } from '../../src/view/live.ts'
import { Queue } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { queueView } from '../../src/view/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'
import { defer, setUp } from '../support/set-up.ts'
import { eventually } from '../support/eventually.ts'

interface Count {
  readonly count: number
}

interface Watched {
  readonly clock: ManualClock
  readonly view: ReturnType<typeof live<Count>>
  /** How often it was read. */
  reads: number
  /** What is there. */
  count: number
  watchers: number
  /** Tells of a change. */
  changed: () => void
}

function watched(more: Partial<Source<Count>> = {}): Watched {
  const clock = new ManualClock()
  const initial = { count: 0, loaded: false, error: undefined }
  const state = { clock, reads: 0, count: 7, watchers: 0, changed: () => undefined as void }
  const view = live<Count>({
    initial,
    clock,
    watch: (changed) => {
      state.watchers++
      state.changed = changed
      return () => state.watchers--
    },
    read: () => {
      state.reads++
      return Promise.resolve({ state: { count: state.count } })
    },
    ...more,
  })
  return Object.assign(state, { view })
}

describe('a view', () => {
  test('does nothing while nobody subscribes, and nothing once nobody does any more', async () => {
    const it = watched()
    expect(it.view.getSnapshot()).toBe(it.view.getServerSnapshot())
    expect(it.view.getSnapshot()).toEqual({ count: 0, loaded: false, error: undefined })
    await it.clock.advance(5000)
    expect([it.reads, it.watchers, it.clock.timers]).toEqual([0, 0, 0])
    const stops = [it.view.subscribe(() => undefined), it.view.subscribe(() => undefined)]
    await it.clock.advance(5000)
    expect([it.reads, it.watchers, it.clock.timers]).toEqual([1, 1, 0])
    stops[0]!()
    stops[0]!()
    expect(it.watchers).toBe(1)
    stops[1]!()
    await it.clock.advance(5000)
    expect([it.reads, it.watchers, it.clock.timers]).toEqual([1, 0, 0])
    // What was read stays known, and is read anew for the next.
    expect(it.view.getSnapshot()).toEqual({ count: 7, loaded: true, error: undefined })
    expect(it.view.getServerSnapshot().loaded).toBe(false)
    it.count = 8
    it.view.subscribe(() => undefined)()
    await it.clock.advance(100)
    expect(it.view.getSnapshot().count).toBe(8)
    expect([it.watchers, it.clock.timers]).toEqual([0, 0])
  })

  test('in a page that is hidden, whose timers are late, follows without any, and reads never twice at a time', async () => {
    vi.stubGlobal('document', { visibilityState: 'hidden' })
    onTestFinished(() => void vi.unstubAllGlobals())
    let reading = 0
    let most = 0
    const it = watched({
      read: async () => {
        most = Math.max(most, ++reading)
        const { count } = it
        await settle()
        reading--
        return { state: { count } }
      },
    })
    onTestFinished(it.view.subscribe(() => undefined))
    for (it.count = 1; it.count <= 3; it.count++) {
      it.changed()
      it.changed()
      await eventually(() => expect(it.view.getSnapshot().count).toBe(it.count))
    }
    expect([most, it.clock.timers]).toEqual([1, 0])
  })

  test('is the same object until something is otherwise, and tells only then', async () => {
    const it = watched()
    let told = 0
    onTestFinished(it.view.subscribe(() => told++))
    await it.clock.advance(100)
    const first = it.view.getSnapshot()
    it.changed()
    await it.clock.advance(100)
    expect(it.reads).toBe(2)
    expect(it.view.getSnapshot()).toBe(first)
    expect(told).toBe(1)
    it.count = 8
    it.changed()
    await it.clock.advance(0)
    expect(it.view.getSnapshot()).toEqual({ ...first, count: 8 })
    expect(first.count).toBe(7)
    expect(told).toBe(2)
  })

  test('of many changes reads a few times, never twice at a time, and the last one is seen within 100 ms', async () => {
    let under = 0
    let most = 0
    let gate = defer()
    const it = watched({
      read: async () => {
        most = Math.max(most, ++under)
        it.reads++
        const { count } = it
        await gate.promise
        under--
        return { state: { count } }
      },
    })
    onTestFinished(it.view.subscribe(() => undefined))
    for (let i = 0; i < 100; i++) {
      it.count = i
      it.changed()
    }
    gate.resolve()
    for (let i = 100; i < 200; i++) {
      it.count = i
      it.changed()
      await it.clock.advance(1)
    }
    await it.clock.advance(99)
    expect(it.view.getSnapshot().count).toBe(199)
    expect(it.reads).toBeLessThan(8)
    expect(most).toBe(1)
    gate = defer()
  })

  test('keeps what is known when the storage fails, says so, and tries again', async () => {
    let broken = false
    const it = watched({
      read: () =>
        broken ? Promise.reject(new Error('no disk')) : Promise.resolve({ state: { count: it.count } }),
    })
    onTestFinished(it.view.subscribe(() => undefined))
    await it.clock.advance(100)
    broken = true
    it.changed()
    await it.clock.advance(100)
    expect(it.view.getSnapshot()).toMatchObject({ count: 7, loaded: true, error: { message: 'no disk' } })
    broken = false
    it.count = 8
    await it.clock.advance(1000)
    expect(it.view.getSnapshot()).toEqual({ count: 8, loaded: true, error: undefined })
    expect(it.clock.timers).toBe(0)
  })

  test('looks again when time alone changes it', async () => {
    const it = watched({
      read: () => {
        it.reads++
        return Promise.resolve({ state: { count: it.reads }, againInMs: it.reads === 1 ? 60_000 : undefined })
      },
    })
    const stop = it.view.subscribe(() => undefined)
    await it.clock.advance(59_000)
    expect(it.reads).toBe(1)
    await it.clock.advance(2000)
    expect(it.reads).toBe(2)
    expect(it.clock.timers).toBe(0)
    stop()
  })

  test('survives a listener that throws, or leaves while others are told', async () => {
    const it = watched()
    const thrown: unknown[] = []
    const note = (error: unknown): void => void thrown.push(error)
    process.on('uncaughtException', note)
    onTestFinished(() => void process.off('uncaughtException', note))
    let told = 0
    const stops = [
      it.view.subscribe(() => {
        throw new Error('mine')
      }),
      it.view.subscribe(() => stops[2]!()),
      it.view.subscribe(() => expect.fail('it has left')),
      it.view.subscribe(() => told++),
    ]
    await it.clock.advance(100)
    await eventually(() => expect(thrown).toHaveLength(1))
    expect(told).toBe(1)
    for (const stop of stops) stop()
    expect(it.watchers).toBe(0)
  })
})

describe('queueView', () => {
  test('shows what any object has done with the queue, soon', async () => {
    const storage = new MemoryAdapter()
    const [here, there] = [new Queue('q', { storage }), new Queue('q', { storage })]
    const view = queueView(here)
    expect(queueView(here)).toBe(view)
    expect(queueView(there)).not.toBe(view)
    onTestFinished(view.subscribe(() => undefined))
    await eventually(() => expect(view.getSnapshot()).toMatchObject({ loaded: true, messages: 0 }))
    const consumer = there.createConsumer('g')
    await there.createProducer().send(1)
    await eventually(() =>
      expect(view.getSnapshot()).toMatchObject({ messages: 1, groups: { g: { ready: 1 } } }),
    )
    const message = await consumer.receive()
    await eventually(() => expect(view.getSnapshot().groups['g']).toMatchObject({ ready: 0, leased: 1 }))
    await message!.ack()
    await eventually(() => expect(view.getSnapshot()).toMatchObject({ messages: 0, sent: 1 }))
    await here.close()
    await there.close()
  })

  test('of a queue that is closed says so, and leaves nothing behind', async () => {
    const { queue, clock } = setUp()
    await queue.close()
    const view = queueView(queue)
    const stop = view.subscribe(() => undefined)
    await settle()
    expect(view.getSnapshot()).toMatchObject({ loaded: false, error: { code: 'CLOSED' } })
    stop()
    expect(clock.timers).toBe(0)
  })

  test('keeps groups that did not change as they are', async () => {
    const { queue, producer, consumer } = setUp()
    const other = queue.createConsumer('other')
    const view = queueView(queue)
    onTestFinished(view.subscribe(() => undefined))
    await producer.send(1)
    await eventually(() => expect(view.getSnapshot().groups).toMatchObject({ default: { ready: 1 } }))
    const before = view.getSnapshot().groups
    await (await consumer.receive())!.ack()
    await eventually(() => expect(view.getSnapshot().groups).toMatchObject({ default: { acked: 1 } }))
    expect(view.getSnapshot().groups['other']).toBe(before['other'])
    await (await other.receive())!.ack()
  })
})
