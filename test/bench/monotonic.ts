/** In ms, on the clock that all processes of the machine share and nobody sets. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
