#!/usr/bin/env node
import process from 'node:process'
import { readFileSync } from 'node:fs'
import { run } from './run.ts'

/** The folder of the package, from its sources and from `dist/cli`. */
function version(): string {
  for (const up of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { version: string }).version
    } catch {
      // One folder further up.
    }
  }
  return '?'
}

// Whoever reads us may have seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})
process.exitCode = await run(process.argv.slice(2), version())
