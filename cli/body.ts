import { Buffer } from 'node:buffer'
import type { Body } from '../src/storage.ts'
import { bytes } from './words.ts'

/** A body in JSON: the payload that it is the JSON of; else its text as it is, or its bytes in base64. */
export type Carried = { readonly payload: unknown } | { readonly text: string } | { readonly base64: string }

export function carry(body: Body): Carried {
  if (typeof body !== 'string') return { base64: Buffer.from(body).toString('base64') }
  try {
    const payload: unknown = JSON.parse(body)
    // Large numbers, for one, would not come back as they were.
    if (JSON.stringify(payload) === body) return { payload }
  } catch {
    // A codec of its own wrote it.
  }
  return { text: body }
}

export function bodyOf(carried: Carried): Body {
  if ('payload' in carried) return JSON.stringify(carried.payload)
  return 'text' in carried ? carried.text : new Uint8Array(Buffer.from(carried.base64, 'base64'))
}

/** A body for people, on one line. */
export function show(body: Body): string {
  if (typeof body !== 'string') return `(${bytes(body.length)} of binary data)`
  const carried = carry(body)
  return 'payload' in carried && typeof carried.payload === 'string' ? carried.payload : body
}

/** A body for people, in full. */
export function showAll(body: Body): string {
  if (typeof body !== 'string') return Buffer.from(body).toString('base64')
  const carried = carry(body)
  if (!('payload' in carried)) return body
  return typeof carried.payload === 'string' ? carried.payload : JSON.stringify(carried.payload, null, 2)
}
