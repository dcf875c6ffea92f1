/** An element with these properties and children. Text goes in as text: what is stored in a queue is hostile input. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

/** Sets a text only where it differs, so that selections live and screen readers hear changes alone. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text
}

/** Puts `wanted` into `parent` in this order and takes out the others; touches only what is not in its place. */
export function arrange(parent: Element, wanted: readonly Element[]): void {
  const keep = new Set(wanted)
  for (const child of Array.from(parent.children)) if (!keep.has(child)) child.remove()
  wanted.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null)
  })
}

/** A cell that says its column's name by itself where there is no room for a head. */
export function cell(label: string, className = '', ...children: readonly Node[]): HTMLTableCellElement {
  const element = h('td', { role: 'cell', className }, ...children)
  element.dataset['label'] = label
  return element
}
