export function generate(): string

/** The scripts by verb, with other numbers than their sources have. */
export function build(
  bounds?: Readonly<Record<string, number>>,
): Record<string, { readonly sha: string; readonly text: string }>
