import type { InspectedQueue } from '../inspected-queue.ts'

/** So often at most a page is told that a queue has changed, in ms. */
const TELL_EVERY_MS = 1000
/** What is silent for long is cut off by proxies, in ms. */
const BEAT_MS = 20_000

/** A stream of server-sent events: the names of queues that have changed. A hint, as `watch` gives it. */
export function eventsOf(queues: readonly InspectedQueue[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const ends: (() => void)[] = []
  const stop = (): void => {
    for (const end of ends.splice(0)) end()
  }
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const changed = new Set<string>()
      const write = (text: string): void => {
        try {
          controller.enqueue(encoder.encode(text))
        } catch {
          stop()
        }
      }
      const timer = setInterval(() => {
        // Who reads slowly need not be told twice.
        if (changed.size === 0 || (controller.desiredSize ?? 0) <= 0) return
        for (const name of changed) write(`data: ${JSON.stringify(name)}\n\n`)
        changed.clear()
      }, TELL_EVERY_MS)
      const beat = setInterval(() => write(':\n\n'), BEAT_MS)
      ends.push(
        () => clearInterval(timer),
        () => clearInterval(beat),
      )
      write(':\n\n')
      for (const queue of queues) {
        try {
          ends.push(queue.watch(() => changed.add(queue.name)))
        } catch {
          // It is closed: the page learns it from the verbs.
        }
      }
    },
    cancel: stop,
  })
}
