/** Names of lanes as parts of keys, which have the order of code points, as UTF-8 has it. */

const HIGH = /[\ud800-\uffff]/

/** A name as a part of keys: in the order of code points, as UTF-8 has them. */
export function laneKey(name: string): string {
  return HIGH.test(name) ? shifted(name, 0xe000, 0x800, 0x2000) : name
}

export function laneOf(key: string): string {
  return HIGH.test(key) ? shifted(key, 0xf800, 0x2000, 0x800) : key
}

/** Moves code units from 0xd800 on: those from a border on down, those before it up. */
function shifted(text: string, border: number, down: number, up: number): string {
  let result = ''
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    result += String.fromCharCode(unit < 0xd800 ? unit : unit >= border ? unit - down : unit + up)
  }
  return result
}
