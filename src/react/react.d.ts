// What is used of React: its types are not installed here, and are not needed for more.
declare module 'react' {
  export function useSyncExternalStore<S>(
    subscribe: (onStoreChange: () => void) => () => void,
    getSnapshot: () => S,
    getServerSnapshot: () => S,
  ): S
}
