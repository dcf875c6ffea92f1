import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import MiniSearch from 'minisearch'
import { expect, test } from 'vitest'
import { options, searchOptions } from '../../site/.vitepress/search.ts'
import { ROOT } from '../support/sources.ts'

// What people ask, and that it is answered within 30 lines of the heading that the search of the site puts first.

const LINES = 30

interface Section {
  readonly id: string
  readonly title: string
  readonly titles: readonly string[]
  readonly text: string
  /** From its heading on, whatever headings come after. */
  readonly shown: string
}

/** Without the marks that the site makes something else of. */
const plain = (text: string): string => text.replaceAll(/[`|]|\]\([^)]*\)/g, ' ')

/** As the site does it: each heading with what is under it. */
function sectionsOf(page: string): Section[] {
  const lines = readFileSync(join(ROOT, page), 'utf8').split('\n')
  let isCode = false
  const headings = lines.flatMap((line, at) => {
    if (line.startsWith('```')) isCode = !isCode
    const found = isCode ? null : /^(#+) (.*)$/.exec(line)
    return found === null ? [] : [{ at, level: found[1]!.length, title: found[2]! }]
  })
  const above: string[] = []
  return headings.map(({ at, level, title }, i) => {
    above.length = level - 1
    const titles = [...above]
    above[level - 1] = title
    const text = plain(lines.slice(at + 1, headings[i + 1]?.at).join('\n'))
    return {
      id: `${page} ${title}`,
      title: plain(title),
      titles: titles.map(plain),
      text,
      shown: lines.slice(at, at + LINES).join('\n'),
    }
  })
}

/** As it gets to the site: as text, with nothing around it. */
const processTerm = runInNewContext(`(${String(options.processTerm)})`) as typeof options.processTerm

const sections = globSync('docs/*.md', { cwd: ROOT }).sort().flatMap(sectionsOf)
const index = new MiniSearch<Section>({ fields: ['title', 'titles', 'text'], searchOptions, processTerm })
index.addAll(sections)

const QUESTIONS: readonly (readonly [question: string, answer: RegExp])[] = [
  ['logout', /signOut/],
  ['testing my code', /quayside\/testing/],
  ['limits of a queue', /maxMessages/],
  ['hourly job', /cron: '0 \* \* \* \*'/],
  ['how do I get the result of a message', /queue\.result\(/],
  ['React', /useOutbox/],
  ['Next.js', /'use client'/],
  ['graceful shutdown', /queue\.close\(/],
  ['priorities', /weight/],
  ['React Native', /NetInfo/],
  ['Vue', /shallowRef/],
  ['Svelte store', /svelte\/store/],
  ['SvelteKit', /\$app\/environment/],
  ['Nuxt', /outbox\.client/],
  ['Electron', /before-quit/],
  ['Express', /app\.post/],
  ['Fastify', /onClose/],
  ['Hono', /c\.req\.json/],
  ['Kubernetes', /terminationGracePeriodSeconds/],
  ['Vercel', /drain\(/],
  ['Jest', /--experimental-vm-modules/],
  ['Playwright', /setOffline/],
  ['rate limit', /rate: \{ count/],
  ['dead letters', /redrive/],
  ['retry backoff', /maxAttempts/],
  ['deduplication', /duplicate/],
  ['ordering key', /`key` \|/],
  ['debounce', /replace/],
  ['encrypt payloads', /encrypted\(/],
  ['401 token expired', /resume\(\)|before/],
  ['which storage should I choose', /IndexedDB\]/],
  ['several processes on one machine', /SQLite/],
  ['transaction with my database', /within\(/],
  ['disk full', /QUOTA_EXCEEDED/],
  ['CORRUPT', /salvage/],
  ['LOCKED', /waitForLockMs/],
  ['pause everything', /hold\(/],
  ['idempotency key', /Idempotency-Key/],
  ['file upload large body', /maxBodyBytes|stream/i],
  ['iOS Safari service worker', /Safari/],
  ['metrics OpenTelemetry', /openTelemetry\(/],
  ['time zone', /timeZone/],
  ['migrate from BullMQ', /jobId/],
  ['migrate from Workbox', /BackgroundSyncPlugin/],
  ['show pending requests to the user', /getSnapshot|items/],
]

test.each(QUESTIONS)('%s', (question, answer) => {
  const [first, ...rest] = index.search(question)
  const others = rest.slice(0, 4).map(({ id }) => id as string)
  expect(first, 'nothing is found').toBeDefined()
  const { shown, id } = sections.find((section) => section.id === first!.id)!
  expect(answer.test(shown), `${id} comes first and does not answer; behind it ${others.join(', ')}`).toBe(
    true,
  )
})

test('forty questions are asked, and each section has a name of its own', () => {
  expect(QUESTIONS.length).toBeGreaterThanOrEqual(40)
  expect(new Set(sections.map(({ id }) => id)).size).toBe(sections.length)
})
