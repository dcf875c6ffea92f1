export function declarations(
  entries: readonly string[],
  published?: ReadonlyMap<string, string>,
): Map<string, string>
