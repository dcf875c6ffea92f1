import { type Command, flag, GROUP, JSON_OPTION, text, texts } from '../command.ts'
import { readDuration, readNumber } from '../durations.ts'
import { DONE, FAILED, Stop } from '../exit.ts'
import { Queue } from '../../src/index.ts'
import { payloadOf, readHeaders } from '../payloads.ts'
import { withTarget } from '../open-target.ts'
import { theGroup, theQueue } from '../target.ts'
import { clean } from '../width.ts'

export const edit: Command = {
  name: 'edit',
  usage: 'TARGET QUEUE ID PAYLOAD',
  summary: 'has a parked message go on with another payload',
  details:
    'Its id, key and lane stay; its headers are those that are given here. It is due at once, and starts from its first\n' +
    'attempt.',
  options: {
    group: GROUP,
    header: {
      type: 'string',
      multiple: true,
      value: 'NAME=VALUE',
      help: 'a header; may be there several times',
    },
    expires: { type: 'string', value: 'DURATION', help: 'a dead letter if it is not done by then' },
    attempts: { type: 'string', value: 'NUMBER', help: 'a dead letter after so many deliveries' },
    text: { type: 'boolean', help: 'the payload is a text, whatever it looks like' },
    json: JSON_OPTION,
  },
  examples: [['edit ./data mails mail-7 \'{"to":"ada@example.com"}\'', 'mends what is wrong with it']],
  words: [4, 4],
  run: async ([name, named, id, payload], values, out) => {
    const options = {
      headers: readHeaders(texts(values, 'header')),
      expiresInMs: readDuration('expires', text(values, 'expires')),
      maxAttempts: readNumber('attempts', text(values, 'attempts')),
    }
    return await withTarget(name!, 'change', async (target) => {
      const queueName = await theQueue(target, named)
      const group = await theGroup(await target.adapter.open(queueName), text(values, 'group'))
      const queue = new Queue(queueName, { storage: target.adapter })
      const edited = await queue.edit(id!, payloadOf(payload!, flag(values, 'text')), { group, ...options })
      if (flag(values, 'json')) await out.json({ edited })
      if (!edited) throw new Stop(FAILED, `${clean(id!)} is not parked in ${clean(group)}`)
      if (!flag(values, 'json')) await out.write(`${clean(id!)} goes on with the new payload\n`)
      return DONE
    })
  },
}
