/** An id as a header can carry it: percent-encoded where it is not ASCII. */
export function headerSafe(id: string): string {
  return encodeURI(id)
}
