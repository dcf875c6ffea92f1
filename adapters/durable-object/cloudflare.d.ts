// What is used here of the runtime itself. Whoever writes a Worker has the whole of it, from @cloudflare/workers-types or
// `wrangler types`; its globals would get in the way of those of the DOM in this repository.

declare module 'cloudflare:workers' {
  import type { ObjectState } from './platform.ts'

  export abstract class DurableObject<Env = unknown> {
    protected ctx: ObjectState
    protected env: Env
    constructor(ctx: ObjectState, env: Env)
  }
}
