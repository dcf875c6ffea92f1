/** What processes have told that were killed at their work, line by line: see `kill-child.ts` of each storage. */
export class KillLedger {
  readonly stored: Set<number> = new Set()
  readonly maybeAcked: Set<number> = new Set()
  /** In which attempt. */
  readonly acked: Map<number, number> = new Map()
  readonly delivered: [n: number, attempt: number][] = []
  readonly errors: string[] = []

  /** The last line of a file may have been cut off by the kill. */
  read(text: string): void {
    for (const line of text.split('\n').slice(0, -1)) {
      const [step, n, attempt] = line.split(' ')
      if (step === 's') this.stored.add(Number(n))
      else if (step === 'b') this.maybeAcked.add(Number(n))
      else if (step === 'a') this.acked.set(Number(n), Number(attempt))
      else if (step === 'd') this.delivered.push([Number(n), Number(attempt)])
      else this.errors.push(line)
    }
  }

  problems(left: readonly number[]): { lost: number[]; back: number[]; errors: string[] } {
    const here = new Set(left)
    return {
      lost: [...this.stored].filter((n) => !here.has(n) && !this.maybeAcked.has(n)),
      back: [
        ...left.filter((n) => this.acked.has(n)),
        ...this.delivered.filter(([n, attempt]) => attempt > (this.acked.get(n) ?? Infinity)).map(([n]) => n),
      ],
      errors: this.errors,
    }
  }
}
