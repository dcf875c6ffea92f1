const SIMPLE_TYPE = /^(text\/plain|multipart\/form-data|application\/x-www-form-urlencoded)\b/i
const SIMPLE_HEADER = /^(accept|accept-language|content-language|content-type|range)$/

/** Why a browser asks another origin first whether it may send a request; none: it does not. */
export function preflightReasons({ method, headers }: Request): readonly string[] {
  const needs = [...headers.keys()].filter((name) => !SIMPLE_HEADER.test(name))
  if (!SIMPLE_TYPE.test(headers.get('content-type') ?? 'text/plain')) needs.push('content-type')
  if (!/^(GET|HEAD|POST)$/.test(method)) needs.push(method)
  return needs
}
