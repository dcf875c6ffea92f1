export function findBrowser(browser: 'chromium' | 'firefox'): string
export function installBrowsers(): string[]
