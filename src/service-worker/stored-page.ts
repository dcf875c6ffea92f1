const PAGE = `<!doctype html><html lang=en><meta name=viewport content="width=device-width">
<meta name=color-scheme content="light dark"><title>Saved</title><body style="font:1.1em system-ui;margin:2em">
<h1>Saved</h1><p>Kept on this device, and sent as soon as the server can be reached.`

/** What a person sees who sent a form that the server has not taken yet. */
export function storedPage(_request: Request, _state: string, { status, headers }: Response): Response {
  const type = 'text/html; charset=utf-8'
  return new Response(PAGE, { status, headers: { ...Object.fromEntries(headers), 'content-type': type } })
}
