export interface AppendStep {
  readonly verb: 'append'
}
export type Step = AppendStep
export type StepSettlement = never
export function describeStep(_step: Step): string {
  return ''
}
export async function runHistory(): Promise<void> {}
