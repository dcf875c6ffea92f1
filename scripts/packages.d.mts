export interface Package {
  readonly folder: string
  readonly pkg: {
    readonly name: string
    readonly version: string
    readonly dependencies?: Readonly<Record<string, string>>
    readonly peerDependencies?: Readonly<Record<string, string>>
    readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  }
}
export interface Subpath {
  readonly name: string
  readonly folder: string
  readonly place: string
  readonly source: string
  readonly page: string
}
export const PACKAGES: readonly Package[]
export const SUBPATHS: readonly Subpath[]
