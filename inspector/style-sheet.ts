let sheet: CSSStyleSheet | undefined

/** One sheet for all inspectors, made by script: a strict Content-Security-Policy allows it, where it forbids `<style>`. */
export function styleSheet(): CSSStyleSheet {
  if (sheet === undefined) (sheet = new CSSStyleSheet()).replaceSync(CSS)
  return sheet
}

// Each state has a colour and a pattern of its own; neither is ever the only bearer of a meaning.
const CSS = `
:host {
  --bg: var(--quayside-background, light-dark(#fff, #14191f));
  --fg: var(--quayside-text, light-dark(#16202b, #e6ebf0));
  --muted: var(--quayside-muted, light-dark(#566270, #9aa7b4));
  --line: var(--quayside-line, light-dark(#d9dfe5, #2d3640));
  --accent: var(--quayside-accent, light-dark(#0b5cad, #7ab8f5));
  --danger: var(--quayside-danger, light-dark(#b3261e, #ff8a80));
  --ready: var(--quayside-ready, light-dark(#2f7de1, #4c94ee));
  --leased: var(--quayside-leased, light-dark(#18936b, #2fb588));
  --delayed: var(--quayside-delayed, light-dark(#dd9a10, #e5ad3a));
  --blocked: var(--quayside-blocked, light-dark(#7d6bb5, #9a88d4));
  --parked: var(--quayside-parked, light-dark(#0f8f9e, #35b4c4));
  --dead: var(--quayside-dead, light-dark(#c93a32, #e2574f));
  color-scheme: light dark;
  display: block;
  container-type: inline-size;
  background: var(--bg);
  color: var(--fg);
  border: 1px solid var(--line);
  border-radius: var(--quayside-radius, 10px);
  padding: 1rem;
  font: 14px/1.45 var(--quayside-font, system-ui, sans-serif);
}
:host([hidden]), [hidden] { display: none !important }
* { box-sizing: border-box; margin: 0 }
h2, h3, h4 { font-size: inherit; line-height: inherit }
header { display: flex; flex-wrap: wrap; gap: 0 .75rem; align-items: baseline }
h2 { font-size: 1.15rem; overflow-wrap: anywhere }
h3 { font-size: 1rem; overflow-wrap: anywhere }
h4 { margin: 1rem 0 .35rem }
h4:focus { outline: none }
.kind, .facts { color: var(--muted); font-weight: 400 }
.facts { font-variant-numeric: tabular-nums; margin-top: .5rem }
header .facts { margin-top: 0 }
.failure { color: var(--danger); font-weight: 600; overflow-wrap: anywhere }
.failure:not(:empty) { border: 1px solid; border-radius: 6px; padding: .5rem .75rem; margin-top: .75rem }
.held {
  display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; justify-content: space-between; overflow-wrap: anywhere;
  border: 1px solid var(--line); border-inline-start: 4px solid var(--delayed); border-radius: 6px;
  padding: .4rem .75rem; margin-top: .75rem
}
header .verb { margin-inline-start: auto }
details { margin-top: 1rem }
summary { cursor: pointer; color: var(--muted) }
.group { border-top: 1px solid var(--line); margin-top: 1rem; padding-top: .75rem }
.head { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; justify-content: space-between }
.actions { display: flex; flex-wrap: wrap; gap: .375rem }

.bar {
  display: flex; gap: 2px; height: 1.25rem; margin: .75rem 0 .5rem; border-radius: 5px; overflow: hidden;
  background: var(--line); forced-color-adjust: none;
}
.bar span { flex: 0 1 0; min-width: 6px; transition: flex-grow .25s }
[data-state=ready] { --color: var(--ready) }
[data-state=leased] { --color: var(--leased) }
[data-state=delayed] { --color: var(--delayed) }
[data-state=blocked] { --color: var(--blocked) }
[data-state=parked] { --color: var(--parked) }
[data-state=done] { --color: var(--muted) }
[data-state=dead] { --color: var(--dead) }
.bar span, .legend i, .badge::before { background: var(--pattern, none) var(--color) }
.bar [data-state=leased], .legend [data-state=leased], .badge[data-state=leased]::before {
  --pattern: repeating-linear-gradient(135deg, #fff7 0 2px, #0000 2px 6px) }
.bar [data-state=delayed], .legend [data-state=delayed], .badge[data-state=delayed]::before {
  --pattern: radial-gradient(circle, #fff9 1.2px, #0000 1.7px) 0 0 / 6px 6px }
.bar [data-state=blocked], .legend [data-state=blocked], .badge[data-state=blocked]::before {
  --pattern: repeating-linear-gradient(90deg, #fff7 0 2px, #0000 2px 5px) }
.bar [data-state=parked], .legend [data-state=parked], .badge[data-state=parked]::before {
  --pattern: repeating-linear-gradient(0deg, #fff8 0 2px, #0000 2px 5px) }
.bar [data-state=dead], .legend [data-state=dead], .badge[data-state=dead]::before {
  --pattern: repeating-linear-gradient(45deg, #0007 0 2px, #0000 2px 5px) }
.legend {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(5rem, 1fr)); gap: .5rem .75rem; padding: 0; list-style: none
}
.legend b { display: block; font-size: 1.4rem; line-height: 1.2; font-variant-numeric: tabular-nums; font-weight: 600 }
.legend span { display: flex; gap: .4rem; align-items: center; color: var(--muted) }
.legend i, .badge::before {
  content: ''; width: .8rem; height: .8rem; border-radius: 3px; flex: none; forced-color-adjust: none }
.badge { display: inline-flex; gap: .4rem; align-items: center; margin-inline-end: .4rem }

table { border-collapse: collapse; width: 100% }
th { color: var(--muted); font-weight: 500; font-size: .85em; text-align: start; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line) }
th:nth-child(1) { width: 30% }
td { padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
td:last-child, th:last-child { padding-inline-end: 0 }
.next { color: var(--muted) }
td.error { width: 26% }
td.actions { display: table-cell; width: 1%; white-space: nowrap }
td.actions button:not([hidden]) + button { margin-inline-start: .375rem }
.state { white-space: nowrap }
.state .next { display: block; font-size: .9em }
pre {
  font: 12px/1.5 var(--quayside-mono, ui-monospace, monospace); white-space: pre-wrap; overflow: auto; max-height: 20rem;
  margin-top: .375rem; padding: .5rem .625rem; border-radius: 6px; background: color-mix(in srgb, var(--fg) 6%, var(--bg))
}

button {
  font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: 6px;
  padding: .2rem .6rem; min-height: 1.75rem; cursor: pointer
}
button:hover { border-color: currentColor }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
.verb { color: var(--accent) }
.final { color: var(--danger) }
.armed { background: var(--danger); border-color: var(--danger); color: var(--bg) }
.read-only .verb:not(.harmless) { display: none }
.more { margin-top: .6rem }
.title {
  border: 0; padding: 0 0 0 1.1em; min-height: 0; text-align: start; font-weight: 600; overflow-wrap: anywhere; position: relative
}
.title::before { content: '▸'; content: '▸' / ''; position: absolute; inset-inline-start: 0; color: var(--muted) }
.title[aria-expanded=true]::before { content: '▾'; content: '▾' / '' }
dialog {
  width: min(44rem, calc(100vw - 2rem)); margin: auto; padding: 1rem; color: var(--fg); background: var(--bg);
  border: 1px solid var(--line); border-radius: var(--quayside-radius, 10px)
}
dialog::backdrop { background: #0007 }
dialog .actions { margin-top: .75rem }
textarea {
  display: block; width: 100%; margin-top: .75rem; padding: .5rem .625rem; resize: vertical; color: inherit; background: none;
  border: 1px solid var(--muted); border-radius: 6px; font: 12px/1.5 var(--quayside-mono, ui-monospace, monospace)
}
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }

@container (max-width: 46rem) {
  table, tbody, tr, td, td.error, td.actions { display: block; width: auto }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line) }
  tr:first-child { border-top: 1px solid var(--line) }
  td { border: 0; padding: .1rem 0 }
  td[data-label]:not([data-label='']) { padding-inline-start: 6.5rem }
  td[data-label]:not([data-label=''])::before {
    content: attr(data-label); content: attr(data-label) / '';
    float: inline-start; width: 6.5rem; margin-inline-start: -6.5rem; color: var(--muted) }
  td[data-label]:empty { display: none }
  .state .next { display: inline; font-size: inherit }
  td.actions { padding-top: .4rem }
  td.actions button { min-height: 2.25rem; padding-inline: .9rem }
}
@media (pointer: coarse) { button:not(.title) { min-height: 2.5rem } }
@media (prefers-reduced-motion: reduce) { * { transition: none !important } }
`
