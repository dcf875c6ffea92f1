import type {
  Body,
  ClaimResult,
  Held,
  NewMessage,
  Page,
  QueueStorage,
  StorageAdapter,
} from '../../src/index.ts'
import { Copied, isEncoded } from '../../src/records/value.ts'

/** Has all verbs of messages done at once, and texts kept as values: each is the only one of an array. */
export function atOnce(inner: StorageAdapter): StorageAdapter {
  return {
    guarantees: inner.guarantees,
    open: async (name) => wrap(await inner.open(name)),
    queues: () => inner.queues(),
    close: () => inner.close(),
  }
}

function wrap(view: QueueStorage): QueueStorage {
  const verbs = view.atOnce!
  return {
    append: async (messages, { batchId, groups, ...limits }) => {
      if (Object.values(limits).some((limit) => limit !== undefined))
        return await view.append(messages.map(asText), { batchId, groups, ...limits })
      return [...verbs.append(messages.map(asValue), { batchId, groups })]
    },
    // Some ask for texts.
    claim: async (request) => asGiven(verbs.claim(request, request.limit % 3 > 0)),
    settle: async (group, settlements) => [...verbs.settle(group, settlements)],
    list: async (query) => asListed(await view.list(query)),
    resume: (ids, options) =>
      view.resume(ids, options?.edit === undefined ? options : { ...options, edit: asText(options.edit) }),
    stats: () => view.stats(),
    results: (group, ids) => view.results(group, ids),
    lanes: (query) => view.lanes(query),
    cancel: (ids) => view.cancel(ids),
    retryNow: (group, ids) => view.retryNow(group, ids),
    hold: (request) => view.hold(request),
    release: (request) => view.release(request),
    deleteGroup: (group) => view.deleteGroup(group),
    purge: () => view.purge(),
    delete: () => view.delete(),
    watch: (listener) => view.watch!(listener),
    close: () => view.close(),
  }
}

function asText<M extends { readonly body: Body }>(message: M): M {
  const { body } = message
  return typeof body === 'string' ? { ...message, body: JSON.stringify([body]) } : message
}

function asValue(message: NewMessage): NewMessage<Held> {
  const { body } = message
  const value = typeof body === 'string' ? Copied.of([body]) : undefined
  return value === undefined ? asText(message) : { ...message, body: value }
}

function asGiven(result: ClaimResult<Held>): ClaimResult {
  const deliveries = result.deliveries.map((delivery) => {
    const { body } = delivery
    const given = isEncoded(body) ? plain(body) : (body.copy() as [string])[0]
    return { ...delivery, body: given }
  })
  return { ...result, deliveries }
}

function asListed(page: Page): Page {
  return {
    ...page,
    messages: page.messages.map((message) => ({ ...message, body: plain(message.body) })),
  }
}

function plain(body: Body): Body {
  return typeof body === 'string' && body !== '' ? (JSON.parse(body) as [string])[0] : body
}
