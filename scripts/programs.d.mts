export type Program = 'chromium' | 'firefox' | 'redis' | 'postgres'
export function findProgram(program: Program): string
export function advice(program: Program): string
export function installPrograms(programs?: readonly Program[]): Program[]
