import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline/promises'
import { flag, type Option, type Values } from './command.ts'
import { NOT_CONFIRMED, Stop } from './exit.ts'
import { redact } from './secrets.ts'

export const YES: Option = { type: 'boolean', help: 'do not ask' }

/** Asks before something is destroyed. Throws unless the answer is yes. */
export async function confirm(what: string, values: Values): Promise<void> {
  if (flag(values, 'yes')) return
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new Stop(NOT_CONFIRMED, `${what} There is nobody to ask here: add --yes if that is meant`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    // Ctrl-C and Ctrl-D are answers, too.
    const left = once(terminal, 'close').then(() => '')
    const answer = await Promise.race([
      terminal.question(`${redact(what)} Go on? [y/N] `).catch(() => ''),
      left,
    ])
    if (!/^y(es)?$/i.test(answer.trim())) throw new Stop(NOT_CONFIRMED, 'nothing was changed')
  } finally {
    terminal.close()
  }
}
