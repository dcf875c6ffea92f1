import { statSync } from 'node:fs'
import { join } from 'node:path'
import { type FileSystem, readingFileSystem } from '../../adapters/fs/file-system.ts'
import { openJournalReader } from '../../adapters/fs/reader.ts'
import { Wreck } from '../../adapters/fs/wreck.ts'
import { SegmentAdapter } from '../../src/segments/index.ts'
import { guaranteesOf } from '../../adapters/fs/guarantees.ts'
import { QuaysideError } from '../../src/index.ts'
import { type Command, flag, JSON_OPTION } from '../command.ts'
import { DAMAGED, DONE } from '../exit.ts'
import { lostPlaces } from '../lost.ts'
import { Progress } from '../progress.ts'
import { redact } from '../secrets.ts'
import { clean } from '../width.ts'
import { bytes, count, plural } from '../words.ts'

export const verify: Command = {
  name: 'verify',
  usage: 'DIRECTORY',
  summary: 'reads a whole journal, and says whether it is sound, or where it is damaged',
  details: 'Every checksum is checked. A process may work on the directory meanwhile.',
  options: { json: JSON_OPTION },
  examples: [
    ['verify ./data', 'before a backup is thrown away'],
    ['verify ./data || mail -s damaged ada@example.com', 'from cron'],
  ],
  words: [1, 1],
  run: async ([directory], values, out) => {
    const progress = new Progress('verifying', sizeOf(directory!))
    try {
      const fileSystem = counting(readingFileSystem, (read) => progress.add(read))
      const reader = await openJournalReader(directory!, { fileSystem })
      const { files, frames, bytes: size } = await reader.size()
      const names = await reader.names()
      const adapter = new SegmentAdapter(guaranteesOf({}), () => Promise.resolve(reader))
      let messages = 0
      for (const name of names) messages += (await (await adapter.open(name)).stats()).messages
      await adapter.close()
      progress.end()
      const sound = { sound: true, files, frames, bytes: size, queues: names.length, messages }
      if (flag(values, 'json')) await out.json(sound)
      else {
        const parts = [
          plural(files, 'file'),
          `${count(frames)} frames`,
          bytes(size),
          plural(names.length, 'queue'),
        ]
        await out.write(
          `${clean(redact(directory!))} is sound: ${parts.join(', ')}, ${plural(messages, 'message')}\n`,
        )
      }
      return DONE
    } catch (error) {
      progress.end()
      if (!(error instanceof QuaysideError && error.code === 'CORRUPT')) throw error
      const lost = placesIn(directory!)
      if (flag(values, 'json')) await out.json({ sound: false, error: redact(error.message), lost })
      else {
        await out.write(`${clean(redact(error.message))}\n${lostPlaces(lost)}`)
        await out.write(`quayside salvage ${clean(redact(directory!))} NEW_DIRECTORY keeps the rest\n`)
      }
      return DAMAGED
    }
  },
}

/** All that cannot be read; the error names the first place alone. */
function placesIn(directory: string): Wreck['lost'] {
  const wreck = Wreck.open(readingFileSystem, directory)
  wreck.close()
  return wreck.lost
}

function sizeOf(directory: string): number | undefined {
  try {
    const names = readingFileSystem.list(directory).filter((name) => name.endsWith('.qsj'))
    return names.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
  } catch {
    // What is wrong is told by whoever reads it.
    return undefined
  }
}

/** Tells how much is read. */
function counting(fileSystem: FileSystem, onRead: (bytes: number) => void): FileSystem {
  return {
    ...fileSystem,
    readAhead: async (...place) => {
      const read = await fileSystem.readAhead(...place)
      onRead(read)
      return read
    },
  }
}
