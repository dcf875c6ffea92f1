import type { Plugin } from 'rolldown'

export function notices(): Plugin
