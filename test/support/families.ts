import type { OutboxOptions } from '../../src/outbox/index.ts'

/** Of an outbox of families: what comes after a create is sent to the id that the server gave, in place of `tmp`. */
export const FAMILIES: OutboxOptions = {
  leaseMs: 500,
  timeoutMs: 2000,
  retry: { initialMs: 5, maxMs: 100 },
  before: async (request, _, family) => {
    if (family?.response === undefined) return request
    const { id } = (await family.response.json()) as { readonly id: number }
    return new Request(request.url.replace('tmp', `${id}`), request)
  },
}
