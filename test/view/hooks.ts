interface Component<R> {
  /** What its function answered, each time that it was rendered. */
  readonly rendered: R[]
  readonly render: () => void
  readonly unmount: () => void
}

interface Store {
  readonly subscribe: (changed: () => void) => () => void
  readonly getSnapshot: () => unknown
  readonly getServerSnapshot: () => unknown
}

let current: ((store: Store) => unknown) | undefined

/** As React's: a component is rendered again when the snapshot is another object than it was. */
export function useSyncExternalStore(...args: [Store['subscribe'], ...(() => unknown)[]]): unknown {
  const [subscribe, getSnapshot, getServerSnapshot] = args
  if (current === undefined) throw new Error('a hook outside of a component')
  return current({ subscribe, getSnapshot: getSnapshot!, getServerSnapshot: getServerSnapshot! })
}

/** Renders a component of one hook, until it is unmounted. `strict`: mounts it twice, as React does in development. */
export function mount<R>(component: () => R, { strict = false }: { strict?: boolean } = {}): Component<R> {
  const rendered: R[] = []
  let store: Store | undefined
  let stop: (() => void) | undefined
  let shown: unknown
  const render = (): void => {
    current = (found) => {
      // Other functions are another store: React subscribes anew.
      if (store?.subscribe !== found.subscribe) {
        stop?.()
        stop = undefined
      }
      store = found
      return (shown = found.getSnapshot())
    }
    try {
      rendered.push(component())
    } finally {
      current = undefined
    }
    if (!Object.is(store!.getSnapshot(), store!.getSnapshot())) throw new Error('the snapshot is not stable')
    stop ??= store!.subscribe(changed)
  }
  function changed(): void {
    if (!Object.is(store!.getSnapshot(), shown)) render()
  }
  render()
  if (strict) {
    stop!()
    stop = store!.subscribe(changed)
  }
  return { rendered, render, unmount: () => stop!() }
}

export function renderOnServer<R>(component: () => R): R {
  current = ({ getServerSnapshot }) => getServerSnapshot()
  try {
    return component()
  } finally {
    current = undefined
  }
}
