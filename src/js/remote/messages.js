// Messages between threads: many entries in one buffer, which is transferred, not copied.
//
//   message = packed, or [packed, extra*]     packed: an ArrayBuffer, transferred
//                                             extra: another ArrayBuffer, transferred, or a plain
//                                             object, cloned
//   packed  = end u32le, entry*               bytes after `end` are unused
//   entry   = end u32le, a request or a reply as verbs.js writes it
//
// Numbers are little-endian, lengths u32.
import { allocate } from '../bytes/bytes.js'
import { NativeBuffer } from '../bytes/native-buffer.js'

const HEADER_SIZE = 4
const NOTHING = 0xffffffff
const PACKED_SIZE_MAX = NOTHING - 1

/** Initial size of a message; a larger one starts with the size of the previous message. */
const ROOM_MIN = 1 << 10
/** A message of this size is sent before the end of the turn, so that the other side can begin. */
const SENT_SIZE = 256 << 10
/** Larger values that own their buffer are transferred, not copied. */
const EXTRA_SIZE_MIN = 4 << 10

/**
 * Runs `task` after all pending microtasks, so that requests of one turn share a message. In Node
 * it runs when the microtask queue is empty; elsewhere after the microtasks that are queued now.
 */
const atEndOfTurn = globalThis.process?.nextTick !== undefined
  ? (/** @type {() => void} */ task) => queueMicrotask(() => process.nextTick(task))
  : (/** @type {() => void} */ task) => queueMicrotask(() => queueMicrotask(task))

/** Collects entries and posts them. */
export class Outbox {
  #post
  #bytes = new Uint8Array(0)
  #view = new DataView(this.#bytes.buffer)
  /** @type {any[]} any: anything that can be cloned */
  #extras = []
  /** The start of the current entry, and the number of extras before it. */
  #entry = HEADER_SIZE
  #extrasBefore = 0
  #at = HEADER_SIZE
  #room = ROOM_MIN
  #planned = false

  /**
   * @param {(message: any, transfer: ArrayBuffer[]) => void} post any: anything that can be cloned
   */
  constructor(post) {
    this.#post = post
  }

  /** Writes one entry, or nothing if `write` throws. */
  begin() {
    this.#entry = this.#at
    this.#extrasBefore = this.#extras.length
    this.#reserve(4)
    this.#at += 4
  }

  cancel() {
    this.#at = this.#entry
    this.#extras.length = this.#extrasBefore
  }

  end() {
    this.#view.setUint32(this.#entry, this.#at, true)
    if (this.#at >= SENT_SIZE) return this.flush()
    if (this.#planned) return
    this.#planned = true
    atEndOfTurn(() => {
      this.#planned = false
      this.flush()
    })
  }

  /** Posts the collected entries. */
  flush() {
    if (this.#at === HEADER_SIZE) return
    const packed = this.#bytes.buffer
    const extras = this.#extras
    this.#view.setUint32(0, this.#at, true)
    this.#room = Math.min(Math.max(this.#at, ROOM_MIN), SENT_SIZE)
    this.#at = HEADER_SIZE
    this.#extras = []
    this.#bytes = new Uint8Array(0)
    if (extras.length === 0) this.#post(packed, [packed])
    else this.#post([packed, ...extras], [packed, ...extras.filter((extra) => extra instanceof ArrayBuffer)])
  }

  /** @param {number} value */
  u8(value) {
    this.#reserve(1)
    this.#view.setUint8(this.#at, value)
    this.#at += 1
  }

  /** @param {number} value */
  u32(value) {
    this.#reserve(4)
    this.#view.setUint32(this.#at, value, true)
    this.#at += 4
  }

  /** @param {number} value */
  f64(value) {
    this.#reserve(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }

  /** Writes bytes without their length. @param {Uint8Array} bytes copied */
  raw(bytes) {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  /** @param {Uint8Array | undefined} bytes copied */
  bytes(bytes) {
    if (bytes === undefined) return this.u32(NOTHING)
    const { length } = bytes
    this.#reserve(4 + length)
    this.#view.setUint32(this.#at, length, true)
    this.#bytes.set(bytes, this.#at + 4)
    this.#at += 4 + length
  }

  /**
   * Writes bytes that are no longer needed here: a large buffer is transferred, not copied.
   * @param {Uint8Array} bytes
   */
  handOver(bytes) {
    const { length, buffer } = bytes
    const whole = length >= EXTRA_SIZE_MIN && length === buffer.byteLength
    this.u8(whole ? 1 : 0)
    if (whole) this.extra(buffer)
    else this.bytes(bytes)
  }

  /**
   * @param {any} extra a buffer to transfer, or an object to clone; any: anything that can be
   *   cloned
   */
  extra(extra) {
    this.u32(this.#extras.length)
    this.#extras.push(extra)
  }

  /** @param {number} size */
  #reserve(size) {
    const needed = this.#at + size
    if (needed <= this.#bytes.length) return
    const used = this.#at > HEADER_SIZE ? this.#bytes.subarray(0, this.#at) : undefined
    const bytes = room(Math.max(needed, this.#room, used === undefined ? 0 : 2 * Math.min(used.length, SENT_SIZE)))
    if (used !== undefined) bytes.set(used)
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
}

/** @param {number} size */
function room(size) {
  if (size <= PACKED_SIZE_MAX) {
    try {
      return allocate(size)
    } catch {
      // Throws below.
    }
  }
  throw Object.assign(new Error(`not enough memory for a message of ${size} bytes`), { code: 'limit-exceeded' })
}

/** Reads a message, entry by entry. */
export class Inbox {
  #bytes
  #view
  #extras
  #end
  #at = HEADER_SIZE
  #entryEnd = HEADER_SIZE

  /**
   * @param {ArrayBuffer | any[]} message an array begins with an ArrayBuffer; any: anything that
   *   can be cloned
   */
  constructor(message) {
    const [packed, ...extras] = Array.isArray(message) ? message : [message]
    this.#bytes = NativeBuffer !== undefined ? NativeBuffer.from(packed) : new Uint8Array(packed)
    this.#view = new DataView(packed)
    this.#extras = extras
    this.#end = this.#view.getUint32(0, true)
  }

  /** Moves to the next entry; returns whether there is one. */
  next() {
    this.#at = this.#entryEnd
    if (this.#at >= this.#end) return false
    this.#entryEnd = this.u32()
    return true
  }

  /** Whether this entry is the last. */
  get isLast() {
    return this.#entryEnd >= this.#end
  }

  /** The unread bytes of this entry. */
  get entrySize() {
    return this.#entryEnd - this.#at
  }

  /** Returns the unread bytes of this entry, as a view of the message. */
  raw() {
    return this.#bytes.subarray(this.#at, this.#entryEnd)
  }

  u8() {
    return this.#view.getUint8(this.#at++)
  }

  u32() {
    const value = this.#view.getUint32(this.#at, true)
    this.#at += 4
    return value
  }

  f64() {
    const value = this.#view.getFloat64(this.#at, true)
    this.#at += 8
    return value
  }

  /** Reads bytes as a view of the message. */
  bytes() {
    const length = this.u32()
    if (length === NOTHING) return undefined
    const start = this.#at
    this.#at += length
    return this.#bytes.subarray(start, start + length)
  }

  /** Reads the bytes written by handOver(), in a buffer of their own. */
  handedOver() {
    if (this.u8() === 0) return own(/** @type {Uint8Array} */ (this.bytes()))
    const buffer = this.extra()
    return NativeBuffer !== undefined ? NativeBuffer.from(buffer) : new Uint8Array(buffer)
  }

  /**
   * Decodes bytes with `read`.
   * @template T
   * @param {(bytes: Uint8Array, start: number, end: number) => T} read
   */
  text(read) {
    const length = this.u32()
    if (length === NOTHING) return undefined
    const start = this.#at
    this.#at += length
    return read(this.#bytes, start, start + length)
  }

  extra() {
    return this.#extras[this.u32()]
  }
}

/** Copies bytes. @param {Uint8Array} bytes */
function own(bytes) {
  const copy = allocate(bytes.length)
  copy.set(bytes)
  return copy
}
