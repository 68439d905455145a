// Groups the entries of tables by the beginnings of their keys. Runs in a worker; block after block, so
// that it can be stopped at any time.
import { mapTable, openBlock, REGION_KINDS, valueOf } from 'varve/inspect'
import { TRAILER } from './model/blocks.js'
import { GROUPS_MAX, groupEnd, ruleOf } from './model/grouping.js'
import { walkKeys } from './model/keys.js'
import { startsWith } from './model/query.js'

/** @typedef {import('./model/grouping.js').Group} Group */
/** @typedef {import('./model/grouping.js').Rule} Rule */
/** @typedef {{ groups: Group[], rule: Rule, entries: number, blocks: number, total: number, unread: number }} Part everything so far */

/** Milliseconds between two reports. */
const REPORT_MS = 250
/** Blocks whose keys tell what separates their parts. */
const SAMPLED = 8

const DATA = REGION_KINDS.indexOf('data')

/**
 * @param {import('varve/inspect').Source[]} sources tables
 * @param {{ prefix: Uint8Array, rule?: Rule }} wanted without a rule, the keys tell it
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Part, void>}
 */
export async function * grouped(sources, wanted, signal) {
  const { prefix } = wanted
  /** @type {{ source: import('varve/inspect').Source, offset: number, size: number }[]} */
  const blocks = []
  for (const source of sources) {
    const { regions } = await mapTable(source, { signal })
    for (let i = 0; i < regions.length; i++) if (regions.kind[i] === DATA) blocks.push({ source, offset: regions.offset[i], size: Math.max(0, regions.size[i] - TRAILER) })
  }
  const open = (/** @type {typeof blocks[0]} */ { source, offset, size }) => openBlock(source, { kind: 'data', offset, size })
  const rule = wanted.rule ?? await sampled(blocks, prefix, open)
  const groups = new Groups()
  let [entries, unread, reported] = [0, 0, performance.now()]
  const part = (/** @type {number} */ done) => ({ groups: groups.all, rule, entries, blocks: done, total: blocks.length, unread })
  for (const [number, block] of blocks.entries()) {
    if (signal.aborted) return
    const view = await open(block)
    if (view.raw === undefined) unread++
    const share = block.size / Math.max(1, view.raw?.length ?? 1)
    walkKeys(view, (entry, key) => {
      if (!startsWith(key, prefix)) return
      entries++
      const { offset, end, type } = view.entries
      const value = type[entry] === 0 ? 0 : valueOf(view, entry).length
      groups.add(key, groupEnd(key, prefix.length, rule), { isDelete: type[entry] === 0, value, stored: (end[entry] - offset[entry]) * share })
    })
    if (performance.now() - reported < REPORT_MS) continue
    yield part(number + 1)
    reported = performance.now()
    // So that a message that stops this is received.
    await new Promise((resolve) => setTimeout(resolve))
  }
  yield part(blocks.length)
}

/**
 * What separates the parts of keys, by some of the blocks.
 * @template T
 * @param {T[]} blocks
 * @param {Uint8Array} prefix
 * @param {(block: T) => ReturnType<typeof openBlock>} open
 */
async function sampled(blocks, prefix, open) {
  /** @type {Uint8Array[]} */
  const keys = []
  const step = Math.max(1, Math.floor(blocks.length / SAMPLED))
  for (let number = 0; number < blocks.length; number += step) walkKeys(await open(blocks[number]), (_, key) => startsWith(key, prefix) && keys.push(key.slice(prefix.length)))
  return ruleOf(keys)
}

class Groups {
  /** By the prefix in Latin-1. @type {Map<string, Group>} */
  #byPrefix = new Map()
  /** Of the entry before: keys are sorted. @type {Group | undefined} */
  #last

  /** Copies: a message takes their bytes away. */
  get all() {
    return [...this.#byPrefix.values()].map((group) => ({ ...group, ...group.prefix && { prefix: group.prefix.slice() } }))
  }

  /** @param {Uint8Array} key @param {number} end @param {{ isDelete: boolean, value: number, stored: number }} entry */
  add(key, end, { isDelete, value, stored }) {
    const last = this.#last
    const group = last?.prefix !== undefined && last.prefix.length === end && startsWith(key, last.prefix) ? last : this.#of(key, end)
    group.count++
    if (isDelete) group.deletes++
    group.keyBytes += key.length
    group.valueBytes += value
    group.stored += stored
    this.#last = group
  }

  /** @param {Uint8Array} key @param {number} end -1: it has no further part */
  #of(key, end) {
    const prefix = end < 0 ? undefined : key.slice(0, end)
    const name = prefix === undefined ? 'single' : `=${String.fromCharCode(...prefix.subarray(0, 1 << 15))}`
    const known = this.#byPrefix.get(name)
    if (known !== undefined) return known
    const kind = prefix === undefined ? 'single' : this.#byPrefix.size < GROUPS_MAX && prefix.length <= 1 << 15 ? 'prefix' : 'other'
    const made = kind === 'other' ? this.#byPrefix.get('other') : undefined
    if (made !== undefined) return made
    /** @type {Group} */
    const group = { kind, prefix: kind === 'prefix' ? prefix : undefined, count: 0, deletes: 0, keyBytes: 0, valueBytes: 0, stored: 0 }
    this.#byPrefix.set(kind === 'prefix' ? name : kind, group)
    return group
  }
}
