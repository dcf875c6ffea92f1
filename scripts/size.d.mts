export const USES: { name: string; code: string; budget?: number }[]
export function bundle(code: string): Promise<{ minified: number; gzipped: number }>
