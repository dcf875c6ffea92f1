/**
 * **quayside/encryption**: a codec that stores payloads encrypted, with AES-GCM by WebCrypto.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { encrypted } from 'quayside/encryption'
 *
 * const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
 * const codec = encrypted<{ card: string }>({ keyId: 'k1', key: () => key })
 * const queue = new Queue('orders', { codec })
 * ```
 *
 * @module
 */
import {
  type Check,
  type Checks,
  checkBoolean,
  checkFunction,
  checkOptions,
  checkStoredText,
  checkText,
  mustHave,
  nameOf,
} from '../check.ts'
import { type Codec, JSON_CODEC } from '../core/inside.ts'
import { QuaysideError, errorText } from '../errors.ts'

/** Which keys there are, and which one encrypts. */
export interface EncryptionOptions<T> {
  /**
   * The key of an id, for AES-GCM, with the usages `encrypt` and `decrypt`. It may be not extractable. `undefined`: it is not
   * here. Is asked for each message that is encoded or decoded, and so decides itself what it remembers, and how long.
   */
  readonly key: (keyId: string) => KeyOrNone | PromiseLike<KeyOrNone>
  /**
   * The id of the key that messages are encrypted with from now on: it is stored with each, so that those of before are
   * decrypted with theirs. A function is asked for each message. 1 to 255 bytes of UTF-8.
   */
  readonly keyId: string | (() => string | PromiseLike<string>)
  /** What makes of payloads what is encrypted. @defaultValue what queues have: JSON, and `Uint8Array` as it is */
  readonly codec?: Codec<T> | undefined
  /**
   * A text that a message can be decrypted with only, such as the name of the queue: who can write to the storage cannot
   * have what was sent elsewhere with the same key read here. It is not stored, and must stay the same. @defaultValue ''
   */
  readonly scope?: string | undefined
  /**
   * Reads what was stored without encryption too, as is needed while messages wait from before it came. Who can write to the
   * storage can then have anything read. @defaultValue false: such messages are parked
   */
  readonly allowPlain?: boolean | undefined
}

type KeyOrNone = CryptoKey | null | undefined

/** Of 96 bits, random: NIST SP 800-38D allows 2 ** 32 of them with one key. */
const IV_BYTES = 12
const MAX_KEY_ID_BYTES = 255

/** How what is encrypted begins; then come `t` for text or `b` for bytes, the length of the key's id, the id, the IV. */
const MAGIC = 'QSE1'
const TEXT = 't'
const NAME_AT: number = MAGIC.length + 2

const checkKeyId: Check = nameOf(MAX_KEY_ID_BYTES)

const CHECKS: Checks = {
  key: checkFunction,
  keyId: (tried, what, id) => (typeof id === 'function' ? undefined : checkKeyId(tried, what, id)),
  codec: mustHave('encode', 'decode'),
  scope: checkText,
  allowPlain: checkBoolean,
}

const TRIED = 'encrypted'
const utf8 = new TextEncoder()
// Whatever a text begins with is part of it.
const fromUtf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * A codec that encrypts what another one makes of the payload: AES-GCM, a random IV for each message, and the id of the key in
 * front. It is longer by 34 bytes and the id, and the limits of the storage are for what is stored.
 *
 * **Encrypted** are payloads, and with them the results and the progress of handlers. **Not encrypted**: ids, ordering keys, lanes,
 * headers, times and lengths; names of queues and groups; and what is said of a message in plain text: the errors of handlers,
 * the `reason` and `data` of {@link Message.park}, results' errors. Put no secret there. Of an outbox's request all is encrypted
 * but its id and key, whose it is, its destination, `meta`, and what the server said when it refused it.
 *
 * A message **whose key is missing**, does not fit, or cannot be asked for, is not lost: it is parked, with data
 * `{ code: 'NOT_YET_READABLE' }`. So is one whose bytes were changed, which looks the same. (Where the storage has no parking it
 * becomes a dead letter, to redrive.) `list` shows it without its payload. Once the key is back:
 *
 * ```ts
 * const { messages } = await queue.list({ state: 'parked' })
 * await queue.resume(messages.map(({ id }) => id))
 * ```
 *
 * **Rotation**: give `keyId` a new id, and let `key` answer for the old ones until nothing waits that bears them. Do so before
 * 2 ** 32 messages were encrypted with one key.
 *
 * It says who wrote a payload, to those who have the key, and not when or as which message: who can write to the storage can
 * drop messages, repeat them, and exchange the payloads of two.
 *
 * A send for which there is no key rejects with `UNSERIALIZABLE`, and nothing is stored. WebCrypto is there in Node, workers and
 * edge functions, and in pages with https or on localhost.
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`.
 */
export function encrypted<T = unknown>(options: EncryptionOptions<T>): Codec<T> {
  checkOptions(TRIED, options, CHECKS)
  const { key, keyId, codec = JSON_CODEC as Codec<T>, scope = '', allowPlain } = options
  checkFunction(TRIED, 'key', key)
  CHECKS['keyId']!(TRIED, 'keyId', keyId)

  /** What the cipher is told besides the message. A head says itself how long it is, so the scope cannot pass for a part of it. */
  const cipher = (head: Bytes, iv: Bytes): AesGcmParams => ({
    name: 'AES-GCM',
    iv,
    additionalData: join(head, utf8.encode(scope)),
  })
  const keyOf = async (id: string): Promise<CryptoKey> => {
    const found = await key(id)
    if (!found) throw new TypeError(`the key ${JSON.stringify(id)} is missing`)
    return found
  }

  return {
    async encode(payload) {
      // First, because its sender may change it.
      const body = await codec.encode(payload)
      const id = typeof keyId === 'function' ? await keyId() : keyId
      checkKeyId(TRIED, 'keyId', id)
      const found = await keyOf(id)
      const isText = typeof body === 'string'
      if (isText) checkStoredText(TRIED, 'the text', body, Infinity)
      const name = utf8.encode(id)
      const head = join(utf8.encode(MAGIC + (isText ? TEXT : 'b')), Uint8Array.of(name.length), name)
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const bytes = isText ? utf8.encode(body) : (body as Bytes)
      return join(head, iv, new Uint8Array(await subtle().encrypt(cipher(head, iv), found, bytes)))
    },

    async decode(stored) {
      if (typeof stored === 'string' || fromUtf8.decode(stored.subarray(0, MAGIC.length)) !== MAGIC) {
        if (allowPlain) return await codec.decode(stored)
        throw notYet('it is not encrypted')
      }
      const start = NAME_AT + stored[NAME_AT - 1]!
      // Not `slice`: that of a Node Buffer shares the bytes.
      const head = new Uint8Array(stored.subarray(0, start))
      const iv = new Uint8Array(stored.subarray(start, start + IV_BYTES))
      const id = fromUtf8.decode(head.subarray(NAME_AT))
      let body: ArrayBuffer
      try {
        const found = await keyOf(id)
        const sealed = stored.subarray(start + IV_BYTES) as Bytes
        body = await subtle().decrypt(cipher(head, iv), found, sealed)
      } catch (error) {
        throw notYet(
          (error as Error | null)?.name === 'OperationError'
            ? `the key ${JSON.stringify(id)} does not fit, or the message was changed`
            : errorText(error),
          error,
        )
      }
      const isText = head[MAGIC.length] === TEXT.charCodeAt(0)
      return await codec.decode(isText ? fromUtf8.decode(body) : new Uint8Array(body))
    },
  }
}

type Bytes = Uint8Array<ArrayBuffer>

function join(...parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((bytes, { length }) => bytes + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Whoever cannot have it now may try again: the message is parked. */
function notYet(why: string, cause?: unknown): QuaysideError {
  return new QuaysideError('NOT_YET_READABLE', `cannot be decrypted: ${why}`, { cause })
}

function subtle(): SubtleCrypto {
  // Browsers leave it out of pages without https.
  const { subtle: found } = crypto as Partial<Crypto>
  if (!found) throw new TypeError('there is no WebCrypto here: a page must have https, or be on localhost')
  return found
}
