import type { Time } from '../../adapters/fs/lock.ts'

/** The real time, but so many times faster. */
export function fastTime(speed: number): Time {
  return {
    now: () => performance.now() * speed,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms / speed)),
    repeat: (ms, beat) => {
      const timer = setInterval(beat, ms / speed)
      timer.unref()
      return () => clearInterval(timer)
    },
  }
}
