/** A key that nobody can read. */
export function newKey(name: 'AES-GCM' | 'AES-CBC' = 'AES-GCM'): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name, length: 256 }, false, ['encrypt', 'decrypt'])
}
