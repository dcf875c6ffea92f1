import type { ClaimRequest, ClaimResult } from '../../src/storage.ts'

/** Claims of one kind that are under way at a time. Those that come meanwhile go together as the next one. */
const AT_ONCE = 4

interface Waiting {
  readonly request: ClaimRequest
  readonly resolve: (result: ClaimResult) => void
  readonly reject: (error: unknown) => void
}

interface Kind {
  underWay: number
  waiting: Waiting[]
}

/**
 * Claims of one queue. A thousand idle consumers are all woken by one message; instead of a thousand claims, of which all
 * but one find nothing, the server gets a few: those of one kind go together, and what they bring is shared out.
 */
export class MergedClaims {
  readonly #claim: (request: ClaimRequest) => Promise<ClaimResult>
  readonly #kinds: Map<string, Kind> = new Map()

  constructor(claim: (request: ClaimRequest) => Promise<ClaimResult>) {
    this.#claim = claim
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    const { group, leaseMs, maxAttempts, from } = request
    const name = JSON.stringify([group, leaseMs, maxAttempts, from])
    const kind = this.#kinds.get(name) ?? { underWay: 0, waiting: [] }
    this.#kinds.set(name, kind)
    return new Promise((resolve, reject) => {
      kind.waiting.push({ request, resolve, reject })
      if (kind.underWay < AT_ONCE) void this.#send(name, kind)
    })
  }

  async #send(name: string, kind: Kind): Promise<void> {
    const together = kind.waiting
    kind.waiting = []
    kind.underWay++
    try {
      const result = await this.#claim(merge(together.map(({ request }) => request)))
      share(together, result)
    } catch (error) {
      for (const { reject } of together) reject(error)
    }
    kind.underWay--
    if (kind.waiting.length > 0) void this.#send(name, kind)
    else if (kind.underWay === 0) this.#kinds.delete(name)
  }
}

function merge(requests: readonly ClaimRequest[]): ClaimRequest {
  const [first] = requests as [ClaimRequest]
  if (requests.length === 1) return first
  return {
    ...first,
    limit: requests.reduce((limit, request) => limit + request.limit, 0),
    settle: requests.flatMap(({ settle = [] }) => settle),
  }
}

function share(together: readonly Waiting[], { deliveries, nextInMs, settled = [] }: ClaimResult): void {
  let given = 0
  let told = 0
  for (const { request, resolve } of together) {
    const { limit, settle } = request
    resolve({
      deliveries: deliveries.slice(given, given + limit),
      nextInMs,
      settled: settle && settled.slice(told, told + settle.length),
    })
    given += limit
    told += settle?.length ?? 0
  }
}
