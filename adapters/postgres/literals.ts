/**
 * What is written into statements. They have no parameters, so that several travel together: only statements without any may
 * share a message of the protocol.
 */

interface Buffers {
  from(
    bytes: ArrayBufferLike | string,
    ...more: readonly unknown[]
  ): Uint8Array & { toString(encoding: 'hex'): string }
}

/** Quicker by far, where there is one. */
const { Buffer } = globalThis as { Buffer?: Buffers }

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function hexOf(bytes: Uint8Array): string {
  if (Buffer !== undefined)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
  let hex = ''
  for (const byte of bytes) hex += DIGITS[byte]
  return hex
}

/** Bytes, whatever `standard_conforming_strings` says of backslashes. */
export function bytesLiteral(bytes: Uint8Array): string {
  return literalOf(hexOf(bytes))
}

export function literalOf(hex: string): string {
  return `E'\\\\x${hex}'`
}

export function textLiteral(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** JSON of which each database understands each sign, whatever its encoding. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^\u0020-\u007e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Bytes as a server sends them, or as a client has made them of that. */
export function bytesOf(value: unknown): Uint8Array {
  if (typeof value !== 'string') {
    const { buffer, byteOffset, byteLength } = value as Uint8Array
    return new Uint8Array(buffer, byteOffset, byteLength)
  }
  const hex = value.slice(2)
  if (Buffer !== undefined) {
    const { buffer, byteOffset, byteLength } = Buffer.from(hex, 'hex')
    return new Uint8Array(buffer, byteOffset, byteLength)
  }
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16)
  return bytes
}
