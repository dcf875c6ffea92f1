/** Not every engine that runs apps has `btoa`. */
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** So many bytes are made text at once. */
const CHUNK = 3 * 4096

export function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let from = 0; from < bytes.length; from += CHUNK) {
    let chunk = ''
    const to = Math.min(from + CHUNK, bytes.length)
    for (let i = from; i < to; i += 3) {
      const word = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
      chunk +=
        DIGITS[word >> 18]! + DIGITS[(word >> 12) & 63]! + DIGITS[(word >> 6) & 63]! + DIGITS[word & 63]!
    }
    text += chunk
  }
  const missing = (3 - (bytes.length % 3)) % 3
  return missing === 0 ? text : text.slice(0, -missing)
}

export function fromBase64(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let word = 0
  let at = 0
  for (let i = 0; i < text.length; i++) {
    word = ((word << 6) | valueOf(text.charCodeAt(i))) & 0xffffff
    // The bits that are left over wait for the next digit.
    const bits = ((i + 1) * 6) % 8
    if (i % 4 !== 0) bytes[at++] = (word >> bits) & 0xff
  }
  return bytes
}

function valueOf(unit: number): number {
  if (unit >= 97) return unit - 71
  if (unit >= 65) return unit - 65
  if (unit >= 48) return unit + 4
  return unit === 43 ? 62 : 63
}
