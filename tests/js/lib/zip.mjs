// Builds zips, also invalid ones. Sizes, checksums and offsets are right unless an entry sets them.
import { crc32 as nodeCrc32, deflateRawSync } from 'node:zlib'

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1
  return n
})
export const crc32 = nodeCrc32 ?? ((bytes) => {
  let crc = -1
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]
  return ~crc >>> 0
})

const u16 = (...values) => { const b = Buffer.alloc(2 * values.length); values.forEach((v, i) => b.writeUInt16LE(v, 2 * i)); return b }
const u32 = (...values) => { const b = Buffer.alloc(4 * values.length); values.forEach((v, i) => b.writeUInt32LE(v >>> 0, 4 * i)); return b }

/**
 * @typedef {{ name: string | Buffer, data?: Buffer | string, deflate?: boolean, flags?: number, method?: number, crc?: number,
 *   size?: number, stored?: number, mode?: number, madeBy?: number, content?: Buffer, offset?: number, central?: object }} Entry
 * @param {Entry[]} entries `content`: stored bytes instead of `data`; `central`: fields that differ
 *   in the central directory
 * @param {{ prefix?: Buffer, comment?: string, count?: number, reverse?: boolean }} [more]
 */
export function zip(entries, { prefix = Buffer.alloc(0), comment = '', count = entries.length, reverse = false } = {}) {
  const parts = [prefix]
  let at = prefix.length
  const centrals = entries.map((entry) => {
    const data = Buffer.from(entry.data ?? '')
    const content = entry.content ?? (entry.deflate ? deflateRawSync(data) : data)
    const name = Buffer.from(entry.name)
    const full = {
      flags: 0, method: entry.deflate ? 8 : 0, crc: crc32(data), stored: content.length, size: data.length, mode: 0o100600, madeBy: 3 << 8 | 20,
      offset: at, ...entry, name
    }
    const local = Buffer.concat([u32(0x04034b50), head(full), u16(name.length, 0), name, content])
    parts.push(local)
    at += local.length
    return { ...full, ...entry.central }
  })
  if (reverse) centrals.reverse()
  const directory = Buffer.concat(centrals.map((entry) => Buffer.concat([
    u32(0x02014b50), u16(entry.madeBy), head(entry), u16(entry.name.length, 0, 0, 0, 0), u32(entry.mode << 16, entry.offset), entry.name
  ])))
  const end = Buffer.concat([u32(0x06054b50), u16(0, 0, count, count), u32(directory.length, at), u16(comment.length), Buffer.from(comment)])
  return Buffer.concat([...parts, directory, end])
}

const head = ({ flags, method, crc, stored, size }) => Buffer.concat([u16(20, flags, method, 0, 33), u32(crc, stored, size)])
