/** Undefined where there are no origins, as in Node: no preflight is made there, and no redirect is hidden. */
function ownOrigin(): string | undefined {
  const { location } = globalThis as { readonly location?: { readonly origin: string } }
  return location?.origin
}

export function hasOrigins(): boolean {
  return ownOrigin() !== undefined
}

/** Whether a URL is of the origin of this page or worker. Where there are no origins, every URL is. */
export function isOwnOrigin(url: string): boolean {
  return !hasOrigins() || new URL(url).origin === ownOrigin()
}
