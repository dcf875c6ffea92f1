import type { KVBinding } from '../../../adapters/cloudflare-kv/index.ts'

let parts = 0

/** A part of the namespace that looks like one of its own, and is another object for what isolates remember. */
export function part(kv: KVBinding): KVBinding {
  const prefix = `${++parts}/`
  return {
    put: (key, value, options) => kv.put(prefix + key, value, options),
    get: async (keys, options) => {
      const values = await kv.get(
        keys.map((key) => prefix + key),
        options,
      )
      return new Map([...values].map(([key, value]) => [key.slice(prefix.length), value]))
    },
    list: async (options) => {
      const page = await kv.list({ ...options, prefix: prefix + (options.prefix ?? '') })
      return {
        ...page,
        keys: page.keys.map((key) => ({ ...key, name: key.name.slice(prefix.length) })),
      }
    },
    delete: (key) => kv.delete(prefix + key),
  }
}
