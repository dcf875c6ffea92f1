import { ManualClock } from '../../../conformance/clock.ts'
import { factory } from '../../conformance/factories/indexeddb.ts'
import { type Life, live } from '../../schedule/support/life.ts'
import { type Deploys, deploy } from '../../typed/support/deploys.ts'

// What the tests of schedules and of typed messages call, in a page.

const { create } = factory({ durability: 'relaxed' })

const time = {
  async live(): Promise<Life> {
    const clock = new ManualClock()
    const { adapter, destroy } = await create({ clock })
    try {
      return await live(adapter, clock)
    } finally {
      await destroy()
    }
  },
  async deploy(): Promise<Deploys> {
    const clock = new ManualClock()
    const { adapter, destroy } = await create({ clock })
    try {
      return await deploy(adapter, clock)
    } finally {
      await destroy()
    }
  },
}

Object.assign(globalThis, { time })
