/** The page, with nothing in it that a strict policy forbids. All else comes from the same address, so that it works wherever it is mounted. */
export function htmlOf(version: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Queues</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="?style=${version}">
<script type="module" src="?script=${version}"></script>
<header><h1>Queues</h1><nav aria-label="Queues"></nav></header>
<main><p role="alert"></p></main>
</html>
`
}

export const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif;
  background: light-dark(#f4f6f8, #0d1116); color: light-dark(#16202b, #e6ebf0) }
body { margin: 0 auto; max-width: 76rem; padding: 1rem }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; margin-bottom: 1rem }
h1 { margin: 0; font-size: 1.25rem }
nav { display: flex; flex-wrap: wrap; gap: .25rem }
a { padding: .3rem .75rem; border-radius: 6px; color: inherit; text-decoration: none; overflow-wrap: anywhere }
a:hover { text-decoration: underline }
a[aria-current] { background: light-dark(#0b5cad, #7ab8f5); color: light-dark(#fff, #0d1116) }
:focus-visible { outline: 2px solid light-dark(#0b5cad, #7ab8f5); outline-offset: 2px }
p[role=alert]:empty { display: none }
@media (pointer: coarse) { a { padding-block: .6rem } }
`
