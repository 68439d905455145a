// Tables built byte by byte, as large or as wrong as a test needs.

const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? value >>> 1 ^ 0x82f63b78 : value >>> 1
  return value
})

/** CRC-32C. @param {Uint8Array} bytes */
export function crc32c(bytes) {
  let value = -1
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ value >>> 8
  return ~value >>> 0
}

/** LevelDB's masked checksum. @param {Uint8Array} bytes */
export function masked(bytes) {
  const sum = crc32c(bytes)
  return ((sum >>> 15 | sum << 17) + 0xa282ead8) >>> 0
}

/** @param {number} value up to 2^53 */
export function varint(value) {
  const bytes = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push(value % 128 | 128)
  return [...bytes, value]
}

/** @param {number} value */
export const fixed32 = (value) => [value & 255, value >>> 8 & 255, value >>> 16 & 255, value >>> 24]

/** A block with its trailer. @param {Uint8Array | number[]} contents @param {number} [codec] */
export function sealed(contents, codec = 0) {
  const bytes = Buffer.concat([Uint8Array.from(contents), Uint8Array.of(codec)])
  return Buffer.concat([bytes, Uint8Array.from(fixed32(masked(bytes)))])
}

/** An internal key. @param {string | Uint8Array} key @param {number} sequence @param {number} [type] */
export function internal(key, sequence, type = 1) {
  const tag = Buffer.alloc(8)
  tag.writeBigUInt64LE(BigInt(sequence) << 8n | BigInt(type))
  return Buffer.concat([Buffer.from(key), tag])
}

/** Contents of a block, each entry a restart point. @param {[Uint8Array, Uint8Array | number[]][]} entries */
export function blockOf(entries) {
  const parts = []
  const restarts = []
  let at = 0
  for (const [key, value] of entries) {
    restarts.push(at)
    const header = Uint8Array.from([0, ...varint(key.length), ...varint(value.length)])
    parts.push(header, key, Uint8Array.from(value))
    at += header.length + key.length + value.length
  }
  if (restarts.length === 0) restarts.push(0)
  const points = Buffer.alloc(4 * restarts.length + 4)
  restarts.forEach((point, i) => points.writeUInt32LE(point, 4 * i))
  points.writeUInt32LE(restarts.length, 4 * restarts.length)
  return Buffer.concat([...parts, points])
}

/** @param {{ offset: number, size: number }} metaindex @param {{ offset: number, size: number }} index */
export function footer(metaindex, index) {
  const handles = [metaindex, index].flatMap(({ offset, size }) => [...varint(offset), ...varint(size)])
  return Buffer.from([...handles, ...new Array(40 - handles.length).fill(0), ...MAGIC])
}

/**
 * A table of these stored data blocks (with trailers), whose separators are `keys`.
 * @param {Uint8Array[]} blocks
 * @param {Uint8Array[]} keys
 */
export function tableOf(blocks, keys) {
  let at = 0
  const index = blocks.map((block, i) => {
    const handle = [...varint(at), ...varint(block.length - 5)]
    at += block.length
    return /** @type {[Uint8Array, number[]]} */ ([keys[i], handle])
  })
  const metaindex = sealed(blockOf([]))
  const stored = sealed(blockOf(index))
  return Buffer.concat([...blocks, metaindex, stored, footer({ offset: at, size: metaindex.length - 5 }, { offset: at + metaindex.length, size: stored.length - 5 })])
}

/** The size of a block of a log. */
const LOG_BLOCK = 32768

/** One fragment. @param {Uint8Array} payload @param {number} [type] */
export function fragment(payload, type = 1) {
  const typed = Buffer.concat([Uint8Array.of(type), payload])
  return Buffer.concat([Uint8Array.from(fixed32(masked(typed))), Uint8Array.of(payload.length & 255, payload.length >> 8), typed])
}

/** A log or manifest of these records. @param {(Uint8Array | number[])[]} records */
export function logOf(records) {
  const parts = []
  let size = 0
  for (const record of records) {
    let rest = Uint8Array.from(record)
    for (let begins = true, ends = false; !ends; begins = false) {
      let left = LOG_BLOCK - size % LOG_BLOCK
      if (left < 7) {
        parts.push(Buffer.alloc(left))
        size += left
        left = LOG_BLOCK
      }
      ends = rest.length <= left - 7
      const payload = rest.subarray(0, left - 7)
      rest = rest.subarray(payload.length)
      parts.push(fragment(payload, begins ? ends ? 1 : 2 : ends ? 4 : 3))
      size += payload.length + 7
    }
  }
  return Buffer.concat(parts)
}

/** @param {Uint8Array} bytes @param {string} [name] */
export const sourceOfBytes = (bytes, name = '000005.ldb') => ({
  name,
  size: bytes.length,
  read(/** @type {number} */ offset, /** @type {Uint8Array} */ into) {
    const part = bytes.subarray(offset, offset + into.length)
    into.set(part)
    return part.length
  }
})
