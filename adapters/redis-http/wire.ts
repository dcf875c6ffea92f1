import type { Argument } from '../redis/connection.ts'

/**
 * Commands go as JSON, so every argument is a text. Bytes are the text whose UTF-8 they are. Where they are none, a byte of 0x80 to
 * 0xFF is a character from U+F780 to U+F7FF, and scripts make bytes of these again (`lua/parts/rows.lua`); who has such characters in
 * a text of his own has their bytes sent so.
 */
const RESERVED = /[\uF780-\uF7FF]/
const EACH_RESERVED = /[\uF780-\uF7FF]/g
const BEHIND_ASCII = /[\u0080-\u00FF]+/g
const SPARE = 0xf700

/** So many arguments a function call takes anywhere. */
const CHUNK = 8192

const encoder = new TextEncoder()
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function toWire(argument: Argument): string {
  if (typeof argument !== 'string') return binary(argument).replaceAll(BEHIND_ASCII, decoded)
  if (!RESERVED.test(argument)) return argument
  return argument.replaceAll(EACH_RESERVED, (one) => spared(binary(encoder.encode(one))))
}

/** A character for each byte. */
function binary(bytes: Uint8Array): string {
  let text = ''
  for (let from = 0; from < bytes.length; from += CHUNK)
    text += String.fromCharCode(...bytes.subarray(from, from + CHUNK))
  return text
}

function decoded(run: string): string {
  try {
    const text = strict.decode(Uint8Array.from(run, (one) => one.charCodeAt(0)))
    if (!RESERVED.test(text)) return text
  } catch {
    // It is no UTF-8.
  }
  return spared(run)
}

function spared(run: string): string {
  return run.replaceAll(/[^]/g, (one) => String.fromCharCode(SPARE + one.charCodeAt(0)))
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
