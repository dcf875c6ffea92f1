import { parseArgs } from 'node:util'
import type { Command, Values } from './command.ts'
import { dead } from './commands/dead.ts'
import { edit } from './commands/edit.ts'
import { exportCommand } from './commands/export.ts'
import { hold } from './commands/hold.ts'
import { importCommand } from './commands/import.ts'
import { inspect } from './commands/inspect.ts'
import { lanes } from './commands/lanes.ts'
import { list } from './commands/list.ts'
import { peek } from './commands/peek.ts'
import { purge } from './commands/purge.ts'
import { redrive } from './commands/redrive.ts'
import { release } from './commands/release.ts'
import { result } from './commands/result.ts'
import { resume } from './commands/resume.ts'
import { salvage } from './commands/salvage.ts'
import { send } from './commands/send.ts'
import { stats } from './commands/stats.ts'
import { verify } from './commands/verify.ts'
import { DONE, FAILED, Stop, USAGE } from './exit.ts'
import { helpOf, overview } from './help.ts'
import { Out, tell } from './out.ts'
import { learnSecrets, redact } from './secrets.ts'
import { cleanLines } from './width.ts'

export const COMMANDS: readonly Command[] = [
  stats,
  list,
  peek,
  dead,
  inspect,
  lanes,
  result,
  send,
  redrive,
  resume,
  edit,
  hold,
  release,
  purge,
  exportCommand,
  importCommand,
  verify,
  salvage,
]

/** Does what the words of a command line say. Resolves with the exit code, and never rejects. */
export async function run(words: readonly string[], version: string): Promise<number> {
  const out = new Out()
  learnSecrets(words)
  try {
    const [name, ...rest] = words
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      const about = COMMANDS.find((command) => command.name === rest[0])
      await out.write(about === undefined ? overview(COMMANDS, version) : helpOf(about))
      return name === undefined ? USAGE : DONE
    }
    if (name === '--version') {
      await out.write(`${version}\n`)
      return DONE
    }
    const command = COMMANDS.find((one) => one.name === name)
    if (command === undefined)
      throw new Stop(USAGE, `there is no command ${name}: quayside --help has those that there are`)
    if (rest.includes('--help') || rest.includes('-h')) {
      await out.write(helpOf(command))
      return DONE
    }
    const { values, positionals } = parse(command, rest)
    return await command.run(positionals, values, out)
  } catch (error) {
    const text = redact(error instanceof Error ? error.message : String(error))
    const [line = ''] = cleanLines(text).split('\n')
    tell(`quayside: ${line}`)
    return error instanceof Stop ? error.code : FAILED
  }
}

function parse(command: Command, args: readonly string[]): { values: Values; positionals: string[] } {
  const { name, usage, words } = command
  const options = Object.fromEntries(
    Object.entries(command.options).map(([option, { type, multiple = false }]) => [
      option,
      { type, multiple },
    ]),
  )
  let parsed: { values: Values; positionals: string[] }
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true }) as typeof parsed
  } catch (error) {
    const [reason] = error instanceof Error ? error.message.split('. ') : []
    throw new Stop(USAGE, `${name}: ${reason}: quayside ${name} --help has the options`)
  }
  const { length } = parsed.positionals
  if (length < words[0] || length > words[1])
    throw new Stop(USAGE, `it is quayside ${name} ${usage}: quayside ${name} --help says more`)
  return parsed
}
