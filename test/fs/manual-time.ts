import type { Time } from '../../adapters/fs/lock.ts'

/** Goes on when somebody sleeps, and only then. */
export class ManualTime implements Time {
  #now = 0
  readonly #beats: Set<{ readonly ms: number; next: number; readonly beat: () => void }> = new Set()

  now(): number {
    return this.#now
  }

  /** Lets others have a turn first. */
  async sleep(ms: number): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.advance(ms)
  }

  repeat(ms: number, beat: () => void): () => void {
    const one = { ms, next: this.#now + ms, beat }
    this.#beats.add(one)
    return () => void this.#beats.delete(one)
  }

  advance(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      const [first] = [...this.#beats].sort((a, b) => a.next - b.next)
      if (first === undefined || first.next > until) break
      this.#now = first.next
      first.next += first.ms
      first.beat()
    }
    this.#now = until
  }
}
