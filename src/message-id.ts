import { v7 } from 'uuid'

/** Random bytes are drawn this many at a time: each draw is a system call, which costs more than all the rest. */
const POOL_BYTES = 4096
const UUID_BYTES = 16

let pool: Uint8Array<ArrayBuffer> | undefined
let used = POOL_BYTES

/** A UUID v7. */
export function uuid(): string {
  if (used === POOL_BYTES) {
    pool = fill(pool ?? new Uint8Array(POOL_BYTES))
    used = 0
  }
  const random = pool!.subarray(used, (used += UUID_BYTES))
  return v7({ random })
}

/** Engines of apps may have no `crypto`. Ids must be unique; they are no secrets. */
function fill(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { crypto } = globalThis as { readonly crypto?: Partial<Crypto> }
  if (typeof crypto?.getRandomValues === 'function') return crypto.getRandomValues(bytes)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.random() * 256
  return bytes
}
