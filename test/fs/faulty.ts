import type { FileSystem } from '../../adapters/fs/file-system.ts'
import { type MemoryDisk, systemError } from './memory-disk.ts'

/**
 * What goes wrong with one call, counted from 1:
 *
 * - a code: the call fails with it and does nothing;
 * - `'short'`: a write stops in the middle, and there is no room for the rest;
 * - `'lost'`: a sync fails, and what it should have written is forgotten;
 * - `'dead'`: this call and all later ones fail, as if the process had been killed before it.
 */
export interface Fault {
  readonly call: number
  readonly kind: 'EIO' | 'ENOSPC' | 'EMFILE' | 'short' | 'lost' | 'dead'
}

/** A file system whose calls are counted, and one of which goes wrong. */
export class FaultyFileSystem {
  /** The names of those that were made. */
  readonly calls: string[] = []
  /** The name of the call that went wrong. */
  hit: string | undefined
  readonly fileSystem: FileSystem

  constructor(disk: MemoryDisk, fault?: Fault, appliesTo: RegExp = /./) {
    let noMore = false
    const wrapped: Record<string, unknown> = {}
    for (const name of METHODS) {
      const asynchronous = name === 'dataSync' || name === 'syncDirectory' || name === 'readAhead'
      const real = (disk[name] as (...args: unknown[]) => unknown).bind(disk)
      wrapped[name] = (...args: unknown[]) => {
        const fail = (code: string): unknown => {
          const error = systemError(code, name)
          if (asynchronous) return Promise.reject(error)
          throw error
        }
        if (noMore && name === 'write') {
          noMore = false
          return fail('ENOSPC')
        }
        if (this.hit !== undefined && fault!.kind === 'dead') return fail('EIO')
        if (!appliesTo.test(name)) return real(...args)
        if (this.calls.push(name) !== fault?.call) return real(...args)
        this.hit = name
        switch (fault.kind) {
          case 'dead':
            return fail('EIO')
          case 'lost':
            if (name === 'dataSync') disk.forget(args[0] as number)
            return fail('EIO')
          case 'short': {
            if (name !== 'write') return fail('ENOSPC')
            const length = args[3] as number
            noMore = true
            return length < 2 ? fail('ENOSPC') : real(args[0], args[1], args[2], length >> 1, args[4])
          }
          default:
            return fail(fault.kind)
        }
      }
    }
    this.fileSystem = wrapped as unknown as FileSystem
  }
}

const METHODS = [
  'makeDirectory',
  'list',
  'open',
  'close',
  'size',
  'read',
  'readAhead',
  'write',
  'truncate',
  'dataSync',
  'syncDirectory',
  'remove',
  'rename',
  'isAt',
  'modifiedAt',
  'readText',
  'readLink',
] as const satisfies readonly (keyof FileSystem)[]
