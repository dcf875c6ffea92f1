/** What every contestant carries: about 200 bytes as JSON, a fresh object for each message. */
export interface Order {
  order: number
  customer: string
  email: string
  total: number
  paid: boolean
  items: { sku: string; count: number }[]
  address: { street: string; city: string }
}

/** 199–206 bytes of JSON for numbers up to seven digits. */
export function order(n: number): Order {
  return {
    order: n,
    customer: 'Margaret Hamilton',
    email: 'mh@example.com',
    total: 129.5,
    paid: true,
    items: [
      { sku: 'A-1001', count: 2 },
      { sku: 'B-2', count: 1 },
    ],
    address: { street: '12 Quay Rd', city: 'Dover' },
  }
}

export function orders(first: number, count: number): Order[] {
  const all: Order[] = []
  for (let n = first; n < first + count; n++) all.push(order(n))
  return all
}

/** What a consumer does with a message: reads it. The sum keeps the compiler from dropping the reads. */
export function read(payload: Order): number {
  sum += payload.order + payload.total + payload.items.length + payload.address.city.length
  return sum
}
let sum = 0
