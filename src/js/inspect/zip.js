// Looks into a zip without unpacking it: stored entries are read in place, deflated ones in memory.
import { inNextTurn } from '../engine/event-loop.js'
import { fromEngine } from '../errors.js'
import { feedAll } from './feed.js'
import { newInstance } from './module.js'
import { bytesAt } from './source.js'

/**
 * @typedef {import('../types/inspect.js').Source} Source
 * @typedef {import('../types/inspect.js').ZipEntry} ZipEntry
 * @typedef {import('../types/inspect.js').ZipSource} ZipSource
 */

/** Bytes of the central directory that are read at once. */
const READ_AHEAD = 1 << 20
/** Stored bytes that are read at once. */
const READ = 1 << 20
/** Stored bytes inflated by one call; they may be a thousand times as many. */
const STEP = 64 << 10

const SIZE_MAX = 256 << 20
const RATIO_MAX = 200

/** By the number in the archive. @type {Record<number, string>} */
const METHODS = { 0: 'stored', 8: 'deflated', 9: 'deflate64', 12: 'bzip2', 14: 'lzma', 93: 'zstd', 95: 'xz', 99: 'encrypted' }

/** Names of a database's files: a folder with one of them is listed. */
const OF_A_DATABASE = /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|sst|log))$/

/**
 * @param {Source} source
 * @param {{ signal?: AbortSignal }} [options]
 */
export async function openZip(source, { signal } = {}) {
  const directory = (await newInstance()).openZip(source.size)
  for await (const _ of feedAll(source, directory, READ_AHEAD, signal));
  return new Zip(source, directory)
}

export class Zip {
  #source
  #directory

  /** @param {Source} source @param {any} directory any: the class of wasm-bindgen, which only the full module has */
  constructor(source, directory) {
    this.#source = source
    this.#directory = directory
    this.prefix = directory.prefix()
    /** @type {ZipEntry[]} */
    this.entries = directory.entries().map((/** @type {any} any: of the engine */ entry, /** @type {number} */ index) => ({ ...entry, index, method: METHODS[entry.method] ?? `method ${entry.method}` }))
    this.databases = databasesOf(this.entries)
  }

  /**
   * @param {ZipEntry} entry
   * @param {{ sizeMax?: number, ratioMax?: number, checkMax?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<ZipSource>}
   */
  async open({ index, name, method, size, stored, offset }, { sizeMax = SIZE_MAX, ratioMax = RATIO_MAX, checkMax = SIZE_MAX, signal } = {}) {
    const source = this.#source
    try {
      const header = await bytesAt(source, offset, Math.min(this.#directory.headerSize(index), Math.max(0, source.size - offset)))
      const start = this.#directory.contentAt(index, header)
      const isStored = method === 'stored'
      /** @type {Uint8Array<ArrayBuffer>[]} */
      const pieces = []
      // A large stored entry is read in place, without its checksum.
      const isChecked = !isStored || size <= checkMax
      const problem = isChecked ? await this.#read(index, start, stored, sizeMax, ratioMax, signal, (piece) => isStored || pieces.push(piece)) : undefined
      const found = { name, isChecked, ...problem !== undefined && { problem } }
      if (isStored) return { ...found, size, at: start, read: (at, into) => source.read(start + at, into.subarray(0, Math.max(0, Math.min(into.length, size - at)))) }
      return { ...found, ...inMemory(pieces) }
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /**
   * Hands over the content of an entry; returns what is wrong with it.
   * @param {number} index
   * @param {number} start
   * @param {number} stored
   * @param {number} sizeMax
   * @param {number} ratioMax
   * @param {AbortSignal | undefined} signal
   * @param {(piece: Uint8Array<ArrayBuffer>) => unknown} take
   * @returns {Promise<string | undefined>}
   */
  async #read(index, start, stored, sizeMax, ratioMax, signal, take) {
    const content = this.#directory.content(index, sizeMax, ratioMax)
    try {
      for (let at = 0; !content.isOver();) {
        const bytes = await bytesAt(this.#source, start + at, Math.min(READ, stored - at))
        for (let used = 0; !content.isOver() && (used < bytes.length || bytes.length === 0);) {
          signal?.throwIfAborted()
          const piece = content.step(bytes.subarray(used, used + STEP))
          if (piece.length > 0) take(piece)
          used += content.used()
          at += content.used()
          await new Promise((resolve) => inNextTurn(() => resolve(undefined)))
        }
      }
      return content.problem()
    } finally {
      content.free()
    }
  }
}

/** @param {Uint8Array<ArrayBuffer>[]} pieces */
function inMemory(pieces) {
  const blob = new Blob(pieces)
  return {
    size: blob.size,
    blob,
    /** @param {number} offset @param {Uint8Array} into */
    async read(offset, into) {
      const bytes = new Uint8Array(await blob.slice(offset, offset + into.length).arrayBuffer())
      into.set(bytes)
      return bytes.length
    }
  }
}

/** Folders with files of a database in them. @param {ZipEntry[]} entries */
function databasesOf(entries) {
  /** @type {Map<string, { folder: string, entries: ZipEntry[], isOne: boolean }>} */
  const folders = new Map()
  for (const entry of entries) {
    const end = entry.name.lastIndexOf('/') + 1
    const [folder, name] = [entry.name.slice(0, end), entry.name.slice(end)]
    if (name === '') continue
    const known = folders.get(folder) ?? { folder, entries: [], isOne: false }
    known.entries.push(entry)
    known.isOne ||= OF_A_DATABASE.test(name)
    folders.set(folder, known)
  }
  return [...folders.values()].filter(({ isOne }) => isOne).map(({ folder, entries }) => ({ folder, entries }))
}
