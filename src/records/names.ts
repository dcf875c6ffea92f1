/** One map has at most so many. */
const MOST = 8192
const MAPS = 256

/**
 * Things by name. A map that grows or shrinks copies all that it has in one step, 0.1 s for a million; so beyond some
 * thousands they stand in many maps, each of which is small.
 */
export class Names<T> {
  #maps: Map<string, T>[] = [new Map()]
  size = 0

  get(name: string): T | undefined {
    return this.#mapOf(name).get(name)
  }

  has(name: string): boolean {
    return this.#mapOf(name).has(name)
  }

  set(name: string, value: T): void {
    const map = this.#mapOf(name)
    const before = map.size
    map.set(name, value)
    this.size += map.size - before
    if (this.size <= MOST || this.#maps.length > 1) return
    this.#maps = Array.from({ length: MAPS }, () => new Map<string, T>())
    for (const [known, its] of map) this.#mapOf(known).set(known, its)
  }

  delete(name: string): void {
    if (this.#mapOf(name).delete(name) && --this.size === 0) this.#maps = [new Map()]
  }

  *entries(): Generator<[string, T], void> {
    for (const map of this.#maps) yield* map
  }

  #mapOf(name: string): Map<string, T> {
    const maps = this.#maps
    return maps[maps.length === 1 ? 0 : hashOf(name)]!
  }
}

/** FNV-1a, 8 bits of it. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash >>> 24
}
