/** Why a request is refused that another site may have caused, if it is. */
export function refusalOf(request: Request): string | undefined {
  const { headers, method, url } = request
  const site = headers.get('sec-fetch-site')
  // To follow a link to the page does nothing; no other page can frame it.
  if (method === 'GET' && headers.get('sec-fetch-mode') === 'navigate' && new URL(url).search === '')
    return undefined
  if (site !== null && site !== 'same-origin' && site !== 'none') return `a request of a ${site} page`
  const origin = headers.get('origin')
  // Where a proxy ends TLS, only the hosts are alike.
  if (origin !== null && hostOf(origin) !== new URL(url).host) return `a request of ${origin}`
  return undefined
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
