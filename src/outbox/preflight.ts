const SIMPLE_TYPE = /^(text\/plain|multipart\/form-data|application\/x-www-form-urlencoded)\b/i
const SIMPLE = /^(GET|HEAD|POST|accept|accept-language|content-language|range)$/

/** Why a browser asks another origin first whether it may send a request; none: it does not. */
export function preflightReasons({ method, headers }: Request): readonly string[] {
  return [...headers.keys(), method].filter((name) =>
    name === 'content-type' ? !SIMPLE_TYPE.test(headers.get(name)!) : !SIMPLE.test(name),
  )
}
