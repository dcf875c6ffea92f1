import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Progress } from '../../demo/node/progress.ts'

let out: { isTTY: boolean; columns: number; text: string; write(text: string): void }

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubEnv('NO_COLOR', '1')
  out = { isTTY: true, columns: 30, text: '', write: (text) => void (out.text += text) }
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

const CLEAR = '\r\x1b[2K'

test('on a terminal, rewrites one line that never breaks, and keeps events above it', () => {
  let sent = 1
  const progress = new Progress(out, () => [`sent ${sent}`, 'a part', 'that has no room here'])
  vi.advanceTimersByTime(100)
  sent = 2
  progress.event('something happened')
  progress.stop()
  vi.advanceTimersByTime(1000)
  expect(out.text.split(CLEAR)).toEqual([
    '',
    ' 0.1s sent 1 a part',
    ' 0.1s  something happened\n',
    ' 0.1s sent 2 a part',
    '',
  ])
})

test('elsewhere, writes a line every second', () => {
  out.isTTY = false
  const progress = new Progress(out, () => ['sent 1', 'all up'])
  vi.advanceTimersByTime(2500)
  progress.event('something happened')
  progress.stop()
  expect(out.text).toBe(' 1.0s  sent 1  all up\n 2.0s  sent 1  all up\n 2.5s  something happened\n')
})
