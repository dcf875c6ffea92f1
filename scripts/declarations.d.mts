export function declarations(entries: readonly string[]): Map<string, string>
