import type { InstalledPackage, Tested } from './installed.ts'
import type { Suite } from './inside/suite.ts'

/** Somewhere that JavaScript runs. */
export interface Runtime {
  readonly name: string
  /** What a storage may find there. */
  readonly has: readonly Facility[]
  /** Starts it, and in it the suite of a storage. Rejects with what to do where it is not there. */
  open(installed: InstalledPackage, tested: Tested): Promise<Session>
}

/** `files`: Node's file system. `sqlite`: a SQLite of the runtime's own. `sockets`: connections to other machines, as Node has them. `requests`: `fetch` of any address. `bindings`: those of a Worker. */
export type Facility = 'files' | 'sqlite' | 'sockets' | 'requests' | 'indexedDB' | 'bindings'

/** A suite that runs. */
export interface Session {
  /** Of the runtime, for example `24.21.0`. */
  readonly version: string
  readonly suite: Suite
  close(): Promise<unknown>
}
