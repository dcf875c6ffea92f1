import type { Plugin } from 'rollup'

export function notices(): Plugin
