// A plugin of rolldown: whatever a built file has of other packages stands there with their licences, which ask for it.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of the package that a module is of, unless it is ours. */
function folderOf(id) {
  return /^\0?(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(id)?.[1]
}

function noticeOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((one) => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(one))
  if (file === undefined) throw new Error(`${name} is bundled, and has no licence text in ${folder}`)
  // A bundler leaves no line end of Windows in a comment.
  const text = readFileSync(join(folder, file), 'utf8')
    .trim()
    .replaceAll('\r\n', '\n')
    .replaceAll('*/', '* /')
  return `${name} ${version} (${license})\n\n${text}`
}

export function notices() {
  return {
    name: 'notices',
    renderChunk(code, { moduleIds }) {
      const folders = new Set(moduleIds.map(folderOf).filter((folder) => folder !== undefined))
      if (folders.size === 0) return null
      const all = [...folders].map(noticeOf)
      return `/*! This file includes:\n\n${all.join('\n\n---\n\n')}\n*/\n${code}`
    },
    // Should a plugin behind this one have taken them away.
    generateBundle(_, bundle) {
      for (const { type, fileName, code, moduleIds } of Object.values(bundle)) {
        if (type !== 'chunk') continue
        for (const folder of new Set(moduleIds.map(folderOf)))
          if (folder !== undefined && !code.includes(noticeOf(folder)))
            throw new Error(`${fileName} includes ${folder} without its licence`)
      }
    },
  }
}
