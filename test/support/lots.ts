/**
 * The lots of a run of tests. `npm test` makes `LOTS` of the files that are tested: the same files draw the same, so that what has failed
 * fails again, and nothing fails by chance that was good before. Elsewhere each file draws anew.
 */
const { LOTS } = process.env

/** A seed from 0 to 2^30 for whatever has a name, which is not that of other names. */
export function seedOf(name: string): number {
  if (LOTS === undefined) return Math.floor(Math.random() * 2 ** 30)
  let hash = Number(LOTS)
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0
  return hash >>> 2
}
