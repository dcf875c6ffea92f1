import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from './temporary.ts'

/** A directory on a disk of its own (tmpfs), which is gone after the test. `undefined`: only root may have one. */
export function smallDisk(megabytes: number): string | undefined {
  const mount = join(temporaryDirectory(), 'mount')
  mkdirSync(mount)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', mount], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  onTestFinished(() => void execFileSync('umount', ['--lazy', mount]))
  return mount
}
