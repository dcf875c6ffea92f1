export function systemNode(): { readonly path: string; readonly version: string } | undefined
