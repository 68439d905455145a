// Small files that would become huge, or lead in circles, for a careless reader.
import { deflateRawSync } from 'node:zlib'
import { blockOf, footer, internal, logOf, sealed, tableOf, varint } from './tables.mjs'

/** A table whose one data block is this. @param {Uint8Array | number[]} contents @param {number} [codec] */
const withBlock = (contents, codec) => tableOf([sealed(contents, codec)], [internal('z', 1)])

/** What each is, the finding that refuses it, if one does, and its name. @type {{ what: string, code?: string, name?: string, make: () => Uint8Array }[]} */
export const BOMBS = [
  { what: '20 bytes of Snappy that declare 4 GiB', code: 'T12', make: () => withBlock([...varint(0xffffffff), 0, ...Array(14).fill(97)], 1) },
  {
    what: '100 bytes of zstd that declare 1 GiB',
    code: 'T12',
    make: () => withBlock([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, ...Array.from({ length: 25 }, () => [0x02 | 1 << 20 - 1 & 0xf8, 0, 0]).flat()], 2)
  },
  { what: '80 kB of deflate that become 80 MiB', code: 'T12', make: () => withBlock(deflateRawSync(Buffer.alloc(80 << 20), { level: 9 }), 4) },
  {
    what: '2 MiB whose keys sum to 20 GiB',
    make() {
      const parts = [Buffer.from([0, ...varint(100 << 10), 0]), Buffer.alloc(100 << 10, 107)]
      for (let i = 0; i < 200_000; i++) parts.push(Buffer.from([...varint((100 << 10) - 8), 8, 0, 1, i & 255, i >> 8 & 255, 255 - (i >> 16), 0, 0, 0, 0]))
      return withBlock(Buffer.concat([...parts, Buffer.from([0, 0, 0, 0, 1, 0, 0, 0])]))
    }
  },
  {
    what: 'a handle at 2^63',
    code: 'T30',
    make() {
      const mutant = Buffer.from(tableOf([sealed(blockOf([[internal('a', 1), [1]]]))], [internal('b', 1)]))
      const far = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 8])
      mutant.fill(0, mutant.length - 48, mutant.length - 8)
      far.copy(mutant, mutant.length - 48)
      far.copy(mutant, mutant.length - 37)
      return mutant
    }
  },
  { what: '2^32 - 1 restarts', code: 'T20', make: () => withBlock([0, 0, 0, 0, 255, 255, 255, 255]) },
  {
    what: 'a metaindex that points at itself',
    make() {
      const own = sealed(blockOf([[Buffer.from('filter.x'), [0, 24]]]))
      const index = sealed(blockOf([]))
      return Buffer.concat([own, index, footer({ offset: 0, size: own.length - 5 }, { offset: own.length, size: index.length - 5 })])
    }
  },
  {
    what: 'a log whose record says that it has 2^32 - 1 operations',
    code: 'W06',
    name: '000003.log',
    make: () => logOf([[1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 1, 1, 97, 1, 98]])
  }
]

/** A manifest of `bytes` bytes, of edits that say only the log's number. @param {number} bytes */
export function manifestOfSmallEdits(bytes) {
  const block = logOf(Array.from({ length: 3640 }, () => [2, 1]))
  const whole = block.subarray(0, 32768)
  const first = logOf([[1, 26, ...Buffer.from('leveldb.BytewiseComparator'), 2, 1, 3, 9, 4, 1], ...Array.from({ length: 3635 }, () => [2, 1])]).subarray(0, 32768)
  const parts = [first]
  for (let size = first.length; size < bytes; size += whole.length) parts.push(whole)
  return Buffer.concat(parts)
}
