import type { Operation } from '../index.ts'
import type { Attributes } from './api.ts'

/** What the conventions call the kinds of operations. They have no word for a lease that is extended. */
const TYPES: Readonly<Record<Operation['name'], string | undefined>> = {
  send: 'send',
  receive: 'receive',
  process: 'process',
  ack: 'settle',
  nack: 'settle',
  reject: 'settle',
  park: 'settle',
  settle: 'settle',
  extend: undefined,
}

/** What spans and metrics of an operation have in common: nothing that has many values. */
export function commonAttributes({ name, queue, group }: Operation): Attributes {
  const type = TYPES[name]
  return {
    'messaging.system': 'quayside',
    'messaging.destination.name': queue,
    'messaging.operation.name': name,
    ...(type !== undefined && { 'messaging.operation.type': type }),
    ...(group !== undefined && { 'messaging.consumer.group.name': group }),
  }
}

/** What is known of the messages. For a send or a receive there is more of it when it has ended. */
export function messageAttributes({ messages, batch }: Operation): Attributes {
  if (batch) return { 'messaging.batch.message_count': messages.length }
  const { id, lane, attempt } = messages[0] ?? {}
  return {
    ...(id !== undefined && { 'messaging.message.id': id }),
    ...(lane !== undefined && { 'messaging.quayside.message.lane': lane }),
    ...(attempt !== undefined && { 'messaging.quayside.message.delivery_attempt': attempt }),
  }
}

/** The class of an error: the code, where there is one, else the name. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return '_OTHER'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
