// The programs that the tests need, browsers and servers: finds them, and installs them where that can be done.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What to look for, and the Debian package that has it. */
const PROGRAMS = {
  chromium: {
    variable: 'CHROMIUM_PATH',
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    debian: 'chromium',
  },
  firefox: { variable: 'FIREFOX_PATH', names: ['firefox-esr', 'firefox'], debian: 'firefox-esr' },
  redis: { variable: 'REDIS_SERVER_PATH', names: ['redis-server', 'valkey-server'], debian: 'redis-server' },
  // Debian puts no server on PATH, because there may be several versions.
  postgres: {
    variable: 'POSTGRES_PATH',
    names: ['postgres'],
    debian: 'postgresql',
    versions: '/usr/lib/postgresql',
  },
}

/** The path of a program. Throws with what to do where there is none. */
export function findProgram(program) {
  const path = find(program)
  if (path === undefined) throw new Error(advice(program))
  return path
}

function find(program) {
  const { variable, names, versions } = PROGRAMS[program]
  if (process.env[variable]) return process.env[variable]
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...foldersOf(versions)]) {
    for (const name of names) {
      const path = join(folder, name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // Not here.
      }
    }
  }
  return undefined
}

/** Where the versions of a program are that lie in folders of their numbers, the newest first. */
function foldersOf(versions) {
  if (versions === undefined) return []
  try {
    const numbers = readdirSync(versions).sort((a, b) => Number(b) - Number(a))
    return numbers.map((number) => join(versions, number, 'bin'))
  } catch {
    return []
  }
}

/** What to do about a program that is missing. */
export function advice(program) {
  const { variable, names, debian, versions } = PROGRAMS[program]
  const places = versions === undefined ? 'on PATH' : `on PATH or in ${versions}`
  return `${program} is not there (none of ${names.join(', ')} ${places}): install it, on Debian with "apt-get install ${debian}", or set ${variable} to its path`
}

/** Installs those of the programs that are missing, where there is apt-get and the right to use it. Answers with what is still missing. */
export function installPrograms(programs = Object.keys(PROGRAMS)) {
  const missing = () => programs.filter((program) => find(program) === undefined)
  const wanted = missing()
  if (wanted.length === 0) return []
  const packages = wanted.map((program) => PROGRAMS[program].debian)
  console.error(`setup: ${wanted.join(' and ')} missing: apt-get install ${packages.join(' ')}`)
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const apt = (...words) => {
    const [command, ...rest] = [...sudo, 'apt-get', '-qq', ...words]
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    return spawnSync(command, rest, { stdio: ['ignore', 'ignore', 2], env }).status === 0
  }
  if (!apt('install', '-y', '--no-install-recommends', ...packages)) {
    apt('update')
    apt('install', '-y', '--no-install-recommends', ...packages)
  }
  return missing()
}
