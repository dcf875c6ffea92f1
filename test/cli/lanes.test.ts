import { expect, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queue } from '../../src/index.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { jsonLines, quayside, works } from './quayside.ts'

/** Does something with the queue `mails` of a directory, in between. */
async function within<R>(directory: string, use: (queue: Queue) => Promise<R>): Promise<R> {
  const storage = new NodeFsAdapter(directory, { durability: 'os' })
  const queue = new Queue<unknown>('mails', { storage })
  const result = await use(queue)
  await queue.close()
  await storage.close()
  return result
}

const bodiesOf = (directory: string): Promise<unknown[]> =>
  within(directory, async (queue) => {
    const messages = await queue.createConsumer('mailer', { leaseMs: 1 }).receiveBatch(10)
    for (const message of messages) await message.nack({ delayMs: 0, counts: false })
    return messages.map(({ payload }) => payload)
  })

test('holds and lanes are shown, made and ended', async () => {
  const directory = temporaryDirectory()
  for (const lane of ['a', 'b']) await works(['send', directory, 'mails', lane, '--lane', lane])
  expect(await bodiesOf(directory)).toEqual(['a', 'b'])

  expect(
    await works(['hold', directory, 'mails', '--lane', 'a', '--for', '10m', '--reason', 'rest', '--probe']),
  ).toMatch(/^lane a in every group is held for (9|10) min, then one goes first: rest\n$/)
  expect(await bodiesOf(directory)).toEqual(['b'])
  const lanes = jsonLines(await works(['lanes', directory, 'mails', '--json']))
  expect(lanes).toMatchObject([
    { lane: 'a', waiting: 1, leased: 0, holds: [{ lane: 'a', reason: 'rest', probe: true }] },
    { lane: 'b', waiting: 1, holds: [] },
  ])
  expect(await works(['lanes', directory, '--prefix', 'a'])).toMatch(
    /^LANE +WAITING.*\na +1 +0 +(9|10) min .*rest/,
  )
  expect(await works(['lanes', directory, '--limit', '1'])).toContain('the first 1; --limit shows more')
  expect(await works(['lanes', directory, '--prefix', 'nothing'])).toBe('no lanes\n')

  await works(['hold', directory, 'mails', '--group', 'mailer'])
  await works(['hold', directory, 'mails'])
  expect(await bodiesOf(directory)).toEqual([])
  const told = await works(['stats', directory])
  expect(told).toContain('the queue is held until it is released\n')
  expect(told).toContain('group mailer is held until it is released\n')
  expect(told).toMatch(/lane a in every group is held for/)

  expect(await works(['release', directory, 'mails'])).toBe('released: the queue\n')
  const again = await quayside(['release', directory, 'mails', '--json'])
  expect([again.code, again.out]).toEqual([1, '{"released":false}\n'])
  expect(again.err).toContain('the queue was not held')
  await works(['release', directory, 'mails', '--group', 'mailer'])
  expect(await bodiesOf(directory)).toEqual(['b'])
  await works(['release', directory, 'mails', '--lane', 'a', '--probe'])
  expect(await works(['stats', directory])).toContain(
    'lane a in every group lets one message at a time go, until one is acked',
  )
  const typo = await quayside(['hold', directory, 'mails', '--group', 'typo'])
  expect([typo.code, typo.err]).toEqual([1, expect.stringContaining('the queue has no group typo')])
})

test('parked messages are shown, mended and resumed', async () => {
  const directory = temporaryDirectory()
  await within(directory, async (queue) => {
    const producer = queue.createProducer()
    const consumer = queue.createConsumer('mailer')
    for (const id of ['one', 'two', 'three', 'four']) {
      await producer.send({ to: id }, { id, lane: id === 'one' ? 'tenant' : 'others' })
      const message = await consumer.receive()
      await message!.park({ reason: `no ${id}`, data: { field: id } })
    }
  })
  expect(await works(['list', directory, '--state', 'parked', '--lane', 'tenant'])).toMatch(
    /PARKED FOR.*\nparked +one +tenant .* no one +\{"to":"one"\}\n$/,
  )
  const [two] = jsonLines(await works(['list', directory, '--lane', 'others', '--json']))
  expect(two).toMatchObject({
    id: 'two',
    state: 'parked',
    parked: { reason: 'no two', data: { field: 'two' } },
  })
  const full = await works(['peek', directory, 'mails', 'one'])
  expect(full).toMatch(/^parked .*: no one$/m)
  expect(full).toMatch(/^data +\{"field":"one"\}$/m)
  expect(await works(['stats', directory])).toMatch(/PARKED(.*\n)+mailer .* 4 /)

  expect(await works(['edit', directory, 'mails', 'one', '{"to":"mended"}', '--header', 'by=ada'])).toBe(
    'one goes on with the new payload\n',
  )
  expect(await works(['peek', directory, 'mails', 'one'])).toMatch(/^state +ready\n(.*\n)+header +by: ada\n/m)
  expect(await works(['resume', directory, 'mails', 'two'])).toBe('resumed: 1 message\n')
  expect(jsonLines(await works(['resume', directory, 'mails', '--json']))).toEqual([{ resumed: 2 }])
  expect(await bodiesOf(directory)).toHaveLength(4)
  for (const words of [
    ['resume', directory, 'mails', 'two'],
    ['edit', directory, 'mails', 'two', 'late'],
  ]) {
    const { code, err } = await quayside(words)
    expect([code, err]).toEqual([1, expect.stringContaining('not parked in mailer')])
  }
})

test('what became of messages is shown', async () => {
  const directory = temporaryDirectory()
  for (const id of ['good', 'bad', 'open', 'lost'])
    await works(['send', directory, 'mails', id, '--id', id, ...(id === 'lost' ? [] : ['--keep', '1h'])])
  await within(directory, async (queue) => {
    const consumer = queue.createConsumer('mailer')
    for (const message of await consumer.receiveBatch(4)) {
      if (message.id === 'bad') await message.reject({ reason: 'nonsense' })
      else if (message.id !== 'open') await consumer.ack(message, { result: { sent: message.id } })
    }
  })
  expect(await works(['result', directory, 'mails', 'good'])).toMatch(
    /^done, .* ago\)\n\n\{\n  "sent": "good"\n\}\n$/,
  )
  expect(jsonLines(await works(['result', directory, 'mails', 'good', '--json']))).toMatchObject([
    { status: 'done', payload: { sent: 'good' } },
  ])
  expect(await works(['result', directory, 'mails', 'bad'])).toMatch(/^dead, rejected, .*\n\nnonsense\n$/)
  for (const id of ['open', 'lost', 'nobody']) {
    const { code, err } = await quayside(['result', directory, 'mails', id])
    expect([code, err]).toEqual([1, expect.stringContaining(`nothing is kept of ${id} in mailer`)])
  }
  expect(await works(['list', directory, '--state', 'done'])).toMatch(
    /OUTCOME\ndone +good .* \{"sent":"good"\}\n$/,
  )
  expect(jsonLines(await works(['list', directory, '--state', 'done', '--json']))).toMatchObject([
    { id: 'good', state: 'done', outcome: { status: 'done', payload: { sent: 'good' } } },
  ])
  expect(await works(['peek', directory, 'mails', 'good'])).toMatch(/^state +done$/m)
})
