/** Random bytes are drawn for so many ids at a time, ten for each: a draw is a system call, which costs more than all the rest. */
const POOL_BYTES = 10 * 400

const HEX = /* @__PURE__ */ Array.from({ length: 256 }, (_, byte) => (byte + 256).toString(16).slice(1))

let pool: Uint8Array<ArrayBuffer>
let used = POOL_BYTES
/** The last time, and how ids of that time begin. */
let time = 0
let start = ''

/** A UUID v7: the time in ms, and 74 random bits. */
export function uuid(): string {
  const now = Date.now()
  if (now !== time) {
    time = now
    const digits = now.toString(16).padStart(12, '0')
    start = `${digits.slice(0, 8)}-${digits.slice(8)}-`
  }
  if (used === POOL_BYTES) {
    pool = crypto.getRandomValues(new Uint8Array(POOL_BYTES))
    used = 0
  }
  const next = (): string => HEX[pool[used++]!]!
  const version = HEX[0x70 | (pool[used++]! & 0x0f)]! + next()
  const variant = HEX[0x80 | (pool[used++]! & 0x3f)]! + next()
  const id = `${start}${version}-${variant}-${next()}${next()}${next()}${next()}${next()}${next()}`
  // One text in memory, and not a tree of its parts.
  return id.toLowerCase()
}
