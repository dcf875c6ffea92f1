/**
 * Says when to look again: `refresh` in the next animation frame after a hint, however many there were, and `tick` once a
 * second. Neither while nobody sees the element: a hidden page, a closed drawer, a place that is scrolled away.
 */
export class Live {
  readonly #refresh: () => Promise<void>
  readonly #tick: () => void
  readonly #observer: IntersectionObserver
  #timer: ReturnType<typeof setInterval> | undefined
  #frame: number | undefined
  #running = false
  #stale = true
  #inView = false

  constructor(element: Element, refresh: () => Promise<void>, tick: () => void) {
    this.#refresh = refresh
    this.#tick = tick
    this.#observer = new IntersectionObserver((entries) => {
      this.#inView = entries.at(-1)!.isIntersecting
      this.#look()
    })
    this.#observer.observe(element)
    document.addEventListener('visibilitychange', this.#look)
  }

  readonly hint = (): void => {
    this.#stale = true
    this.#look()
  }

  stop(): void {
    this.#inView = false
    this.#observer.disconnect()
    document.removeEventListener('visibilitychange', this.#look)
    clearInterval(this.#timer)
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame)
  }

  readonly #look = (): void => {
    const seen = this.#inView && !document.hidden
    if (!seen) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    this.#timer ??= setInterval(this.#tick, 1000)
    if (this.#stale && !this.#running) this.#frame ??= requestAnimationFrame(this.#draw)
  }

  readonly #draw = (): void => {
    this.#frame = undefined
    this.#stale = false
    this.#running = true
    // One at a time: a storage that is slower than the hints must not pile up reads.
    void this.#refresh().finally(() => {
      this.#running = false
      this.#look()
    })
  }
}
