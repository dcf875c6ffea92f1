// The browsers that the tests run in: finds them, and installs them where that can be done.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What to look for, and the Debian package that has it. */
const BROWSERS = {
  chromium: {
    variable: 'CHROMIUM_PATH',
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    debian: 'chromium',
  },
  firefox: { variable: 'FIREFOX_PATH', names: ['firefox-esr', 'firefox'], debian: 'firefox-esr' },
}

/** The path of a browser. Throws with what to do where there is none. */
export function findBrowser(browser) {
  const path = find(browser)
  if (path === undefined) throw new Error(advice(browser))
  return path
}

function find(browser) {
  const { variable, names } = BROWSERS[browser]
  if (process.env[variable]) return process.env[variable]
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
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

/** What to do about a browser that is missing. */
export function advice(browser) {
  const { variable, names, debian } = BROWSERS[browser]
  return `${browser} is not there (none of ${names.join(', ')} on PATH): install it, on Debian with "apt-get install ${debian}", or set ${variable} to its path`
}

/** Installs the browsers that are missing, where there is apt-get and the right to use it. Answers with what is still missing. */
export function installBrowsers() {
  const missing = () => Object.keys(BROWSERS).filter((browser) => find(browser) === undefined)
  const wanted = missing()
  if (wanted.length === 0) return []
  const packages = wanted.map((browser) => BROWSERS[browser].debian)
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
