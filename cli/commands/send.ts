import { type Command, flag, JSON_OPTION, text, texts } from '../command.ts'
import { readDuration, readNumber } from '../durations.ts'
import { DONE, Stop, USAGE } from '../exit.ts'
import { Queue, type SendOptions } from '../../src/index.ts'
import { LANE } from '../holds.ts'
import { batchesOfLines } from '../lines.ts'
import { payloadOf, readHeaders } from '../payloads.ts'
import { Progress } from '../progress.ts'
import { withTarget } from '../open-target.ts'
import { plural } from '../words.ts'

const BATCH = 1000

export const send: Command = {
  name: 'send',
  usage: 'TARGET QUEUE [PAYLOAD…]',
  summary: 'sends messages: those of the command line, or each line of standard input',
  details:
    'A payload that is JSON is sent as what it says, anything else as a string; --text sends all as strings. The queue,\n' +
    'and the directory, are made if they are not there. Lines are sent in batches of 1,000, each of them whole or not\n' +
    'at all; empty lines are passed over.',
  options: {
    id: { type: 'string', value: 'ID', help: 'its id: sent twice, it is stored once (one payload only)' },
    key: { type: 'string', value: 'KEY', help: 'the ordering key: one message of it at a time, in order' },
    lane: { ...LANE, help: 'the lane: whose flow it shares, such as a tenant' },
    header: {
      type: 'string',
      multiple: true,
      value: 'NAME=VALUE',
      help: 'a header; may be there several times',
    },
    delay: { type: 'string', value: 'DURATION', help: 'not before: 90s, 5m, 2h, 1d' },
    expires: { type: 'string', value: 'DURATION', help: 'a dead letter if it is not done by then' },
    attempts: { type: 'string', value: 'NUMBER', help: 'a dead letter after so many deliveries' },
    keep: { type: 'string', value: 'DURATION', help: 'keeps what becomes of it for so long: see result' },
    text: { type: 'boolean', help: 'payloads are texts, whatever they look like' },
    json: JSON_OPTION,
  },
  examples: [
    ['send ./data orders \'{"sku":"tea","amount":1}\' --key customer-7', 'a message'],
    ['send ./data mails ada@example.com --delay 5m', 'a string, in five minutes'],
    ['send ./data orders < orders.jsonl', 'a message for each line of a file'],
  ],
  words: [2, Infinity],
  run: async ([name, named, ...payloads], values, out) => {
    const options: SendOptions = {
      id: text(values, 'id'),
      key: text(values, 'key'),
      lane: text(values, 'lane'),
      keepMs: readDuration('keep', text(values, 'keep')),
      headers: readHeaders(texts(values, 'header')),
      delayMs: readDuration('delay', text(values, 'delay')),
      expiresInMs: readDuration('expires', text(values, 'expires')),
      maxAttempts: readNumber('attempts', text(values, 'attempts')),
    }
    if (options.id !== undefined && payloads.length !== 1)
      throw new Stop(USAGE, `--id is for one payload, and there are ${payloads.length || 'none'}`)
    const isText = flag(values, 'text')
    return await withTarget(name!, 'create', async ({ adapter }) => {
      const queue = new Queue(named!, { storage: adapter })
      const producer = queue.createProducer()
      const progress = new Progress('sending')
      let sent = 0
      let duplicates = 0
      for await (const lines of payloads.length > 0 ? batches(payloads) : batchesOfLines(BATCH)) {
        const results = await producer.sendBatch(
          lines.map((line) => ({ payload: payloadOf(line, isText), ...options })),
        )
        for (const result of results) {
          if (flag(values, 'json')) await out.json(result)
          if (result.status === 'duplicate') duplicates++
          else sent++
        }
        progress.add(results.length)
      }
      progress.end()
      await queue.close()
      const rest = duplicates === 0 ? '' : `; ${plural(duplicates, 'duplicate')} not stored`
      if (!flag(values, 'json')) await out.write(`sent ${plural(sent, 'message')}${rest}\n`)
      return DONE
    })
  },
}

function* batches(payloads: readonly string[]): Generator<readonly string[]> {
  for (let i = 0; i < payloads.length; i += BATCH) yield payloads.slice(i, i + BATCH)
}
