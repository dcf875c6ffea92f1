// What the tests use of React, whose types are a package of their own.

declare module 'react' {
  export const StrictMode: unique symbol
  export function createElement(type: unknown, props?: object | null, ...children: unknown[]): object
  export function useState<S>(initial: S): [S, (next: (last: S) => S) => void]
}

declare module 'react-dom/client' {
  export function createRoot(element: Element): { render(node: object): void; unmount(): void }
}

declare module 'react-dom/server' {
  export function renderToString(node: object): string
}
