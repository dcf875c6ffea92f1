import { newFolder, removeFolder } from './folders.ts'
import type { Contestant, Running } from './harness.ts'

/** A contestant that works in a folder of its own. */
export function inFolder(
  name: string,
  role: Contestant['role'],
  start: (folder: string) => Running | Promise<Running>,
  about?: string,
): Contestant {
  return {
    name,
    role,
    ...(about !== undefined && { about }),
    apart: true,
    async setup() {
      const folder = newFolder()
      const running = await start(folder)
      return {
        step: () => running.step(),
        async close() {
          await running.close?.()
          removeFolder(folder)
        },
      }
    },
  }
}
