import type { Argument } from '../redis/connection.ts'

/**
 * Commands go as JSON, so every argument is a text. Bytes are the text whose UTF-8 they are. Where they are none, a byte of 0x80 to
 * 0xFF is a character from U+F780 to U+F7FF, and scripts make bytes of these again (`lua/parts/rows.lua`); who has such characters in
 * a text of his own has their bytes sent so.
 */
const SPARE = 0xf700
const EACH_RESERVED = /[\uF780-\uF7FF]/g
/** What of decoded bytes may stand for others. */
const DOUBTFUL = /[\uF780-\uF7FF\uFFFD]/

/** So many arguments a function call takes anywhere. */
const CHUNK = 8192

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export function toWire(argument: Argument): string {
  if (typeof argument === 'string')
    return argument.replaceAll(EACH_RESERVED, (one) =>
      String.fromCharCode(...Array.from(encoder.encode(one), (byte) => SPARE + byte)),
    )
  // No text has more code units than bytes.
  const units = new Uint16Array(argument.length)
  let length = 0
  for (let from = 0; from < argument.length;) {
    const byte = argument[from]!
    if (byte < 0x80) {
      units[length++] = byte
      from++
      continue
    }
    let to = from + 1
    while (to < argument.length && argument[to]! >= 0x80) to++
    const text = to - from === 1 ? undefined : decoder.decode(argument.subarray(from, to))
    if (text === undefined || DOUBTFUL.test(text))
      while (from < to) units[length++] = SPARE + argument[from++]!
    else for (let i = 0; i < text.length; i++) units[length++] = text.charCodeAt(i)
    from = to
  }
  let text = ''
  for (let from = 0; from < length; from += CHUNK)
    text += String.fromCharCode(...units.subarray(from, Math.min(from + CHUNK, length)))
  return text
}

/** An answer with bytes for all that is text, which comes as base64. */
export function fromWire(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(fromWire)
  if (typeof reply !== 'string') return reply
  const text = atob(reply)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}
