// Node's `buffer` as the package has it in pages, and what only the suite calls.
import { Buffer as Small } from '../../../../src/js/bytes/buffer-web.js'

export const Buffer = { ...Small, alloc: (size) => Small.from(new Uint8Array(size)) }

Object.getPrototypeOf(Buffer.alloc(0)).compare = function (other) {
  const at = this.findIndex((byte, i) => byte !== other[i])
  return at === -1 ? this.length - other.length : this[at] - (other[at] ?? -1)
}
