/** Where the turns of the lanes of a filter go on: each shard has its own. A text that no shard made says nothing. */
export class Positions {
  readonly #all: Record<string, string>

  constructor(text: string | undefined) {
    this.#all = { ...read(text) }
  }

  of(shard: number): string | undefined {
    const position = this.#all[shard]
    return typeof position === 'string' ? position : undefined
  }

  set(shard: number, position: string | undefined): void {
    if (position === undefined) delete this.#all[shard]
    else this.#all[shard] = position
  }

  get text(): string {
    return JSON.stringify(this.#all)
  }
}

function read(text: string | undefined): Record<string, string> {
  try {
    return JSON.parse(text ?? '{}') as Record<string, string>
  } catch {
    return {}
  }
}
