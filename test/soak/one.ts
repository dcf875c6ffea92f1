// One storage, in a process of its own because of its heap: node --expose-gc one.ts NAME SECONDS SCALE. Answers with JSON.
import { FastClock } from './fast-clock.ts'
import { PINNED, type Sample, type Verdict, judge } from './flat.ts'
import { Life } from './life.ts'
import { SUBJECTS } from './subjects.ts'

/** What came of one storage. */
export interface Outcome {
  readonly name: string
  readonly sent: number
  readonly samples: number
  readonly verdicts: readonly Verdict[]
  readonly problems: readonly string[]
}

const SAMPLES = 10

const [name = '', seconds = '', scale = ''] = process.argv.slice(2)
const clock = new FastClock(Number(scale))
const subject = await SUBJECTS[name]!(clock)
const life = new Life(subject.storage, clock)
const samples: Sample[] = []
let settling = 1000
const ends = performance.now() + Number(seconds) * 1000

await life.start()
while (samples.length < SAMPLES && life.problems.length === 0) {
  const share = (ends - performance.now()) / (SAMPLES - samples.length)
  // Coming to an end takes its time as well.
  await life.work(Math.max(share / 2, share - settling))
  const started = performance.now()
  await life.settle()
  settling = performance.now() - started
  samples.push({ sent: life.sent, bytes: { heap: heapBytes(), ...(await subject.measure()) } })
  const figures = Object.entries(samples.at(-1)!.bytes).map(([what, bytes]) => `${what} ${bytes}`)
  console.error(`${name}: ${life.sent} sent, ${figures.join(', ')}`)
}
await life.end()
await subject.close()

const allowances = { heap: { perMessage: 16, floor: PINNED + 1_000_000 }, ...subject.allowances }
const outcome: Outcome = {
  name,
  sent: life.sent,
  samples: samples.length,
  verdicts: judge(samples, allowances),
  problems: life.problems.slice(0, 5),
}
console.log(JSON.stringify(outcome))

function heapBytes(): number {
  gc!()
  gc!()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
