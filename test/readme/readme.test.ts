import { execFile } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundle } from '../browser/support/bundle.ts'
import { useBrowsers } from '../browser/support/fixture.ts'
import { openSite, serve } from '../browser/support/site.ts'
import { connectClient } from '../redis/support/clients.ts'
import type { RedisServer } from '../redis/support/server.ts'
import { Servers } from '../support/servers.ts'
import { ROOT, SOURCES } from '../support/sources.ts'

/**
 * Runs every `ts` snippet of the README and of the pages beside it as a program of its own, those marked `ts browser` in Chromium, those marked
 * `ts redis`, `ts redis-http` and `ts postgres` with a server. What it prints must be what its comments say: `// → text` behind a `console.log`, or on lines
 * of its own.
 */
const PAGES = ['README.md', ...globSync('docs/*.md', { cwd: ROOT }).sort()]
type Where = 'Node' | 'Node with Redis' | 'Node with Redis over HTTP' | 'Node with PostgreSQL' | 'Chromium'
/** By what stands behind `ts`. */
const PLACES: Record<string, Where> = {
  browser: 'Chromium',
  redis: 'Node with Redis',
  'redis-http': 'Node with Redis over HTTP',
  postgres: 'Node with PostgreSQL',
}
const snippets = PAGES.flatMap((page) => {
  const text = readFileSync(join(ROOT, page), 'utf8')
  return [...text.matchAll(/^```ts(?: (browser|redis-http|redis|postgres))?\n(.*?)^```$/gms)].map(
    (match) => ({
      page,
      where: PLACES[match[1] ?? ''] ?? 'Node',
      code: match[2]!,
      line: text.slice(0, match.index).split('\n').length,
    }),
  )
})

const browsers = useBrowsers()
const servers = new Servers()
afterAll(() => servers.stop())

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'quayside-readme-'))
  // For the packages of others.
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'), 'junction')
})
afterAll(() => rmSync(directory, { recursive: true }))

function runnable(code: string): string {
  return code.replaceAll(/from '(quayside[^']*)'/g, (_, subpath: string) => {
    const source = SOURCES.get(subpath)
    if (source === undefined) throw new Error(`a page imports ${subpath}, which package.json does not export`)
    return `from '${pathToFileURL(source).href}'`
  })
}

async function runInNode(file: string, env?: Record<string, string>): Promise<string[]> {
  const options = { cwd: directory, env: { ...process.env, ...env } }
  const { stdout } = await promisify(execFile)(process.execPath, [file], options)
  return stdout.trimEnd().split('\n')
}

async function runWithRedis(file: string): Promise<string[]> {
  return await runInNode(file, { REDIS_URL: (await emptyRedis()).url })
}

async function runOverHttp(file: string): Promise<string[]> {
  await emptyRedis()
  const { url, token } = await servers.front()
  return await runInNode(file, { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token })
}

async function emptyRedis(): Promise<RedisServer> {
  const server = await servers.redis()
  const { command, close } = await connectClient('redis', server.url)
  await command('FLUSHALL')
  await close()
  return server
}

async function runWithPostgres(file: string): Promise<string[]> {
  const { createDatabase } = await servers.postgres()
  return await runInNode(file, { DATABASE_URL: await createDatabase(crypto.randomUUID()) })
}

async function runInChromium(file: string): Promise<string[]> {
  const site = await openSite({ '/snippet.js': `${await bundle(file)}\nconsole.log('the end')` })
  site.routes.set('/', serve('text/html', '<!doctype html><title>snippet</title>'))
  site.routes.set('/api/notes', (_, response) => void response.writeHead(201).end())
  try {
    const tab = await (await browsers.chromium()).newPage()
    const lines: string[] = []
    const ended = new Promise<void>((resolve, reject) => {
      tab.on('pageerror', reject)
      tab.on('console', (message) => {
        if (message.text() === 'the end') resolve()
        else if (message.type() === 'log') lines.push(message.text())
      })
    })
    await tab.goto(site.origin)
    await tab.addScriptTag({ url: '/snippet.js', type: 'module' })
    await ended
    return lines
  } finally {
    await site.close()
  }
}

const RUN: Record<Where, (file: string) => Promise<string[]>> = {
  Node: runInNode,
  'Node with Redis': runWithRedis,
  'Node with Redis over HTTP': runOverHttp,
  'Node with PostgreSQL': runWithPostgres,
  Chromium: runInChromium,
}

describe('the pages', () => {
  test('begin with an example that runs within its first 30 lines', () => {
    expect(snippets[0]!.line + snippets[0]!.code.split('\n').length).toBeLessThanOrEqual(30)
  })

  test.each(snippets)(
    'the snippet of $page at line $line prints what it says, in $where',
    async ({ page, code, line, where }) => {
      const file = join(directory, `${page.replaceAll(/\W/g, '-')}-${line}.ts`)
      writeFileSync(file, where === 'Chromium' ? code : runnable(code))
      const expected = [...code.matchAll(/\/\/ → (.*)$/gm)].map((match) => match[1])
      expect(await RUN[where](file)).toEqual(expected)
    },
  )
})
