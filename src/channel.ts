/**
 * A channel to the other contexts of the origin. `undefined`: the runtime has none, or a browser refuses it to a page that may keep
 * nothing, as Firefox does where cookies are blocked.
 */
export function openChannel(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name)
  } catch {
    return undefined
  }
}
