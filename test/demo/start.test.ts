import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readArguments } from '../../demo/node/arguments.ts'

const MAIN = fileURLToPath(new URL('../../demo/node/main.ts', import.meta.url))
const SHORT = ['--down-ms', '300', '--killed-ms', '100']

let folder: string
/** Where the demo keeps its files. */
let temporary: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quayside-start-'))
  temporary = join(folder, 'temporary')
  mkdirSync(temporary)
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function file(content: string | Uint8Array, name = 'lines.txt'): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const lines = (count: number): string =>
  Array.from({ length: count }, (_, i) =>
    i % 7 === 0 ? '' : `line ${i} of ${count}\twith "quotes" and ünïcödé`,
  ).join('\n')

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

function start(...args: string[]): {
  child: ChildProcess
  said: (text: string) => Promise<void>
  ended: Promise<Ended>
} {
  const { INIT_CWD: _, ...env } = process.env
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...env, TMPDIR: temporary, TEMP: temporary },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const said = (text: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => void (stdout.includes(text) && resolve())
      child.stdout.on('data', look)
      look()
    })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return { child, said, ended }
}

/** The totals that the demo ends with, by name. */
function totals(stdout: string): Record<string, number> {
  const rows = [...stdout.matchAll(/^ {2}(\S.*?) {2,}([\d,]+)(?: {2}.*)?$/gm)]
  return Object.fromEntries(rows.map(([, name, value]) => [name!, Number(value!.replaceAll(',', ''))]))
}

describe('npm start', () => {
  test('delivers every line, though the server is killed in the middle', async () => {
    const { code, stdout, stderr } = await start(...SHORT, file(lines(600))).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(totals(stdout)).toEqual({
      sent: 600,
      delivered: 600,
      'delivered more than once': expect.any(Number) as number,
      lost: 0,
      dead: 0,
      'messages/s': expect.any(Number) as number,
      'audit lines': 600,
    })
    for (const event of ['goes down', 'up again', 'kill -9', 'is back']) expect(stdout).toContain(event)
    expect(stdout).toMatch(
      /^ *\d+\.\ds {2}[\w ]+ {2}sent [\d,]+ {2}delivered [\d,]+ {2}waiting [\d,]+ {2}retried [\d,]+$/m,
    )
    expect(readdirSync(temporary)).toEqual([])
  })

  test('takes lines of any kind', async () => {
    const odd = Buffer.concat([
      Buffer.from('tab\tand\r\n\n\0\u2028\rlone \\ "\n'),
      Uint8Array.of(0xff, 0xfe, 10),
      Buffer.from('😀 no line break at the end'),
    ])
    const { code, stdout } = await start('--down-ms', '0', '--killed-ms', '0', file(odd)).ended
    expect(code).toBe(0)
    expect(totals(stdout)).toMatchObject({ sent: 5, delivered: 5, lost: 0, 'audit lines': 5 })
  })

  test('notices a lost message, says which, and keeps what there is to look at', async () => {
    const { code, stdout, stderr } = await start(...SHORT, '--forget', '123', file(lines(200))).ended
    expect(code).toBe(1)
    expect(totals(stdout)).toMatchObject({ sent: 200, delivered: 199, lost: 1, 'audit lines': 200 })
    expect(stdout).toContain('LOST on the way downstream: line-000123')
    const [kept] = readdirSync(temporary)
    expect(stderr).toContain(join(temporary, kept!))
    expect(readdirSync(join(temporary, kept!)).sort()).toEqual(['arrived.log', 'audit.log', 'queue'])
  })

  test.skipIf(process.platform === 'win32')('cleans up after Ctrl-C', async () => {
    const { child, said, ended } = start('--down-ms', '20000', file(lines(2000)))
    await said('goes down')
    child.kill('SIGINT')
    const { code, stderr } = await ended
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' })
    expect(readdirSync(temporary)).toEqual([])
  })

  test('says what is wrong with its arguments', async () => {
    const missing = join(folder, 'missing.txt')
    const cases: [string[], string][] = [
      [[missing], `${missing} does not exist`],
      [[folder], `${folder} is a directory`],
      [[file('', 'empty.txt')], 'empty.txt is empty'],
      [['--forget', '0', file('one')], '--forget must be a whole number from 1 to 1, not "0"'],
      [['--busy', 'very'], '--busy must be a whole number from 0 to 90, not "very"'],
      [['--nonsense'], "Unknown option '--nonsense'"],
      [['one', 'two'], 'one file, please, not 2'],
    ]
    for (const [args, text] of cases) expect(() => readArguments(args, folder)).toThrow(text)
    const { code, stdout, stderr } = await start('missing.txt').ended
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^npm start: \S*missing\.txt does not exist\n$/)
    expect(readdirSync(temporary)).toEqual([])
  })

  test('has 10,000 lines and more to send without being given a file', () => {
    expect(readArguments([], folder)?.lines.length).toBeGreaterThan(10_000)
  })

  test('reads a file from where npm was called', () => {
    file('one\ntwo\n')
    expect(readArguments(['lines.txt'], folder)?.lines).toEqual(['one', 'two'])
  })
})
