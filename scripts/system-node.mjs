// The Node of the system, beside the one of the dev dependencies that npm scripts run on.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Its path and version (`20.20.2`), or undefined where the system has none. */
export function systemNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (/node_modules[\\/]\.bin$/.test(folder)) continue
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
    } catch {
      continue // Not here.
    }
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.trim().slice(1)
    if (version) return { path, version }
  }
  return undefined
}
