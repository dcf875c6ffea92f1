// How the site searches. test/docs/questions.test.ts asks the same index the same way.

interface Options {
  readonly processTerm: (term: string) => string | undefined
}

export const options: Options = {
  // The site has it as text, so it must need nothing around it. What tells no page from another is left out, and so is a plural's s.
  processTerm: (term) => {
    const word = term.toLowerCase()
    const common =
      /^(?:a|an|and|are|as|at|be|but|by|can|do|does|for|from|get|have|how|i|if|in|into|is|it|its|me|my|not|of|on|or|our|should|so|than|that|the|their|them|then|there|this|to|use|using|want|was|we|what|when|where|which|who|why|will|with|you|your)$/
    return common.test(word) ? undefined : word.replace(/(?<=\w{3})s$/, '')
  },
}

interface SearchOptions {
  readonly fuzzy: number
  readonly prefix: boolean
  readonly boost: { readonly title: number; readonly titles: number; readonly text: number }
}

export const searchOptions: SearchOptions = {
  fuzzy: 0.1,
  prefix: true,
  boost: { title: 4, titles: 2, text: 1 },
}
