import { statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { COMPARATOR_OPTION, ENCODING_OPTIONS, JSON_OPTION, READONLY_OPTION } from '../arguments.js'
import { orderIn, orderOf } from '../comparator.js'
import { filesOf, findingOf, lineOf, reading, tablesOf } from '../database.js'
import { VarveError } from '../../errors.js'
import { checkDirectory, checkFile, isDirectory } from '../location.js'
import { Progress } from '../output.js'
import { counted, grouped, shown, sized, table } from '../text.js'
import { explained } from './verify.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../arguments.js').Values} Values */
/** @typedef {import('../database.js').Db} Db */
/** @typedef {import('../output.js').Output} Output */
/**
 * any: facts of the inspector, with a type for each kind of span.
 * @typedef {Omit<import('../../types/inspect.js').Span, 'facts' | 'spans'> & { facts: Record<string, any>, spans: Span[] }} Span
 */
/** @typedef {ReturnType<typeof tablesOf>[number]} Table */
/** @typedef {{ out: Output, values: Values, progress: Progress | undefined }} Shown */

/** The width of a key in a row, in characters. */
const KEY_WIDTH = 28
/** The number of rows that are aligned together. */
const ROWS = 200

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'layout',
  summary: "print a table file's blocks, or a database's levels and files",
  usage: '<table file or directory>',
  details: `For a table, prints the footer and the metaindex, index, filter and data blocks: offset, stored and raw size, codec, entries,
restart points, first and last key, and whether the checksum is correct. Damage is reported and the blocks after it are
printed; without an index, blocks are found by their checksums. Exit code 1 if anything is damaged.`,
  positionals: [1, 1],
  options: {
    entries: { type: 'boolean', help: 'also print the entries of each block' },
    ...ENCODING_OPTIONS,
    ...JSON_OPTION,
    ...COMPARATOR_OPTION,
    ...READONLY_OPTION
  },

  /** @param {Call} call */
  run({ values, positionals: [path], out }) {
    if (!isDirectory(path)) {
      checkFile(path)
      return file(path, values, out)
    }
    checkDirectory(path, 'read')
    return directory(path, values, out)
  }
}

// ---- A table ----

/** @param {string} path @param {Values} values @param {Output} out */
async function file(path, values, out) {
  const kind = /\.log$/.test(path) ? 'log' : /^MANIFEST-\d+$/.test(basename(path)) ? 'manifest' : undefined
  if (kind) throw new VarveError(`${path} is a ${kind}: varve layout reads table files, *.ldb or *.sst`, { code: 'LEVEL_NOT_SUPPORTED' })
  const { size } = statSync(path)
  const progress = out.isTerminal ? undefined : new Progress('layout', size)
  const spans = explained(path, { entries: values.entries, comparator: await orderIn(dirname(path), values) })
  try {
    return await (values.json ? asJson : asText)(path, size, spans, { out, values, progress })
  } finally {
    progress?.end()
  }
}

/**
 * @param {string} path
 * @param {number} size
 * @param {AsyncIterable<Span>} spans
 * @param {Shown} to
 */
async function asJson(path, size, spans, { out, progress }) {
  let bad = 0
  let parted = ''
  out.write(`{"file":${JSON.stringify(path)},"size":${size},"spans":[`)
  for await (const span of spans) {
    bad += badOf(span).length
    progress?.add(Number(span.length))
    await out.write(`${parted}\n${JSON.stringify(span)}`)
    parted = ','
  }
  out.line(`\n],"sound":${bad === 0}}`)
  return bad > 0 ? 1 : 0
}

/** @param {Span} span */
const badOf = ({ findings }) => findings.filter(({ severity }) => severity === 'bad')

/**
 * @param {string} path
 * @param {number} size
 * @param {AsyncIterable<Span>} spans
 * @param {Shown} to
 */
async function asText(path, size, spans, { out, values, progress }) {
  out.line(`${path}: ${counted(size, 'byte')}`)
  out.line()
  let bad = 0
  const rows = new Rows(out, values)
  for await (const span of spans) {
    bad += badOf(span).length
    progress?.add(Number(span.length))
    if (span.kind === 'data') {
      await rows.add(span)
    } else {
      await rows.end()
      for (const line of PARTS[span.kind](span, values)) out.line(line)
      for (const line of notesOf(span)) out.line(line)
    }
  }
  return bad > 0 ? 1 : 0
}

/** @param {any} value any: facts of the inspector, with a type for each kind of span */
const number = (value) => value === undefined ? '-' : grouped(value)
/** @param {Span} span */
const place = ({ offset, length }) => `${grouped(offset)} + ${grouped(length)}`
/** @param {unknown} value */
const hex = (value) => Number(value).toString(16).padStart(8, '0')

/** @param {Span} span */
function blockLine({ facts }) {
  const { storedSize, rawSize, codec, checksum, storedChecksum, computedChecksum } = facts
  const sums = checksum === 'wrong' ? ` (${hex(storedChecksum)} stored, ${hex(computedChecksum)} computed)` : ''
  return `${number(storedSize)} stored, ${number(rawSize)} decompressed (${codec ?? 'unknown codec'}), checksum ${checksum ?? 'unknown'}${sums}`
}

/** @param {string} kind @param {Span} span @param {string} text */
const line = (kind, span, text) => `${kind.padEnd(10)} ${place(span).padEnd(20)} ${text}`

/**
 * @param {any} fact
 * @param {any} options any: facts of the inspector, with a type for each kind of span
 */
function keyText({ key, size }, { keyEncoding }, width = Infinity) {
  const text = shown(Buffer.from(key, 'hex'), keyEncoding)
  return text.length > width ? `${text.slice(0, width - 3)}...` : size * 2 > key.length ? `${text}...` : text
}

/** @param {any} options any: facts of the inspector, with a type for each kind of span */
function versionOf({ sequence, type }) {
  return sequence === undefined ? '(no internal key)' : `@${sequence}${type === 'deletion' ? ' deletion' : ''}`
}

/**
 * any: the options of the command.
 * @type {Record<string, (span: Span, values: any) => Iterable<string>>}
 */
const PARTS = {
  * footer(span) {
    const { magic, format, formatVersion, checksumType, metaindexOffset, metaindexSize, indexOffset, indexSize } = span.facts
    const handle = (/** @type {number} */ offset, /** @type {number} */ size) => offset === undefined ? '?' : `${grouped(offset)} (${counted(size, 'byte')})`
    yield line('footer', span, `metaindex at ${handle(metaindexOffset, metaindexSize)}, index at ${handle(indexOffset, indexSize)}, magic ${magic ?? '-'}`)
    if (format) yield `${' '.repeat(32)}format: ${format}${formatVersion === undefined ? '' : ` version ${formatVersion}, checksums ${checksumType}`}`
  },
  * metaindex(span) {
    yield line('metaindex', span, `${counted(span.facts.entries ?? 0, 'entry', 'entries')}, ${blockLine(span)}`)
    for (const { facts } of span.spans) {
      yield `${' '.repeat(32)}${shown(Buffer.from(facts.key, 'hex'), 'utf8')} -> ${number(facts.handleOffset)} (${number(facts.handleSize)} bytes)`
    }
  },
  * index(span, values) {
    yield line('index', span, `${counted(span.facts.entries ?? 0, 'entry', 'entries')}, ${number(span.facts.restarts)} restarts, ${blockLine(span)}`)
    for (const { facts } of span.spans) {
      yield `${' '.repeat(32)}up to ${keyText(facts.key, values)} ${versionOf(facts.key)} -> ${number(facts.handleOffset)} (${number(facts.handleSize)} bytes)`
    }
  },
  * filter(span) {
    const { name, filters, emptyFilters, baseLg, probes, bits, bitsSet } = span.facts
    const shape = filters === undefined
      ? ''
      : `, one for ${grouped(2 ** baseLg)} bytes (${number(emptyFilters)} empty), ${probes ?? 0} probes, ${bits > 0 ? (bitsSet / bits * 100).toFixed(1) : 0}% of bits set`
    yield line('filter', span, `${name ? shown(Buffer.from(name, 'hex'), 'utf8') : 'a filter'}: ${number(filters)} filters${shape}`)
    yield `${' '.repeat(32)}${blockLine(span)}`
  },
  * meta(span) {
    yield line('meta', span, `${span.facts.name ? shown(Buffer.from(span.facts.name, 'hex'), 'utf8') : 'a block'}, ${blockLine(span)}`)
  },
  * gap(span) {
    yield line('gap', span, 'bytes of nothing')
  },
  * table(span, values) {
    const { format, dataBlocks, entries, deletions, storedSize, rawSize, damagedBlocks, foundBlocks, minSequence, maxSequence, firstKey, lastKey } = span.facts
    if (dataBlocks === undefined) return
    const ratio = rawSize > 0 ? `, ${(storedSize / rawSize * 100).toFixed(1)}%` : ''
    yield ''
    yield `${format === 'unknown' ? 'no table' : `${format} table`}: ${counted(dataBlocks, 'data block')}, ${counted(entries, 'entry', 'entries')} (${counted(deletions, 'deletion')}), ${
      sized(storedSize)} stored, ${sized(rawSize)} decompressed${ratio}`
    if (firstKey) yield `keys      ${keyText(firstKey, values, 60)} .. ${keyText(lastKey, values, 60)}`
    if (minSequence !== undefined) yield `sequence  ${minSequence} .. ${maxSequence}`
    if (foundBlocks > 0) yield `${counted(foundBlocks, 'block')} found by checksum alone`
    yield span.facts.findings === 0 ? 'sound' : `${counted(span.facts.findings, 'finding')}, ${counted(damagedBlocks, 'damaged block')}`
  }
}

/** @param {Span} span */
function * notesOf({ findings }) {
  for (const { code, severity, offset, reason } of findings) yield `  ${severity === 'bad' ? '!' : '-'} ${code} at ${grouped(offset)}: ${reason}`
}

/**
 * Prints data blocks as a table, some hundred rows at a time, so that a long one starts at once.
 */
class Rows {
  #out
  #values
  /** @type {Span[]} */
  #spans = []
  #begun = false

  /** @param {Output} out @param {Values} values */
  constructor(out, values) {
    this.#out = out
    this.#values = values
  }

  /** @param {Span} span */
  async add(span) {
    this.#spans.push(span)
    // Findings of a block are printed below its row.
    if (this.#spans.length >= ROWS || span.findings.length > 0 || span.spans.length > 0) await this.#print()
  }

  async end() {
    await this.#print()
    this.#begun = false
  }

  async #print() {
    if (this.#spans.length === 0) return
    const head = ['block', 'offset', 'stored', 'raw', 'ratio', 'codec', 'entries', 'del', 'restarts', 'checksum', 'first key', 'last key']
    const rows = this.#spans.map((span) => this.#row(span))
    // A minimum width aligns the columns of one part of the table with those of the next.
    const widths = [' '.repeat(7), ' '.repeat(11), ' '.repeat(7), ' '.repeat(7), ' '.repeat(6), ' '.repeat(7), ' '.repeat(7), '', '', '', ' '.repeat(KEY_WIDTH), '']
    const lines = table([head, widths, ...rows]).split('\n')
    if (!this.#begun) this.#out.line(`\n${lines[0]}`)
    this.#begun = true
    for (const row of lines.slice(2)) await this.#out.line(row)
    const last = this.#spans[this.#spans.length - 1]
    this.#spans = []
    for (const note of notesOf(last)) await this.#out.line(note)
    for (const entry of last.spans) await this.#out.line(entryLine(entry, this.#values))
  }

  /** @param {Span} span */
  #row({ offset, facts }) {
    const { block, storedSize, rawSize, codec, entries, deletions, restarts, checksum, firstKey, lastKey } = facts
    const ratio = rawSize > 0 ? `${(storedSize / rawSize * 100).toFixed(1)}%` : '-'
    return [number(block), number(offset), number(storedSize), number(rawSize), ratio, codec ?? '-', number(entries), number(deletions),
      number(restarts), checksum ?? '-', ...[firstKey, lastKey].map((key) => key ? keyText(key, this.#values, KEY_WIDTH) : '-')]
  }
}

/** @param {Span} span @param {Values} values */
function entryLine({ offset, facts }, values) {
  const { shared, unshared, valueSize, restart, key } = facts
  return `${String(offset).padStart(10)}  ${String(shared).padStart(4)} + ${String(unshared).padEnd(4)} = ${String(valueSize).padStart(8)}  ${
    restart ? 'restart' : '       '}  ${keyText(key, values)} ${versionOf(key)}`
}

// ---- A database ----

/** @param {string} path @param {Values} values @param {Output} out */
async function directory(path, values, out) {
  const files = filesOf(path)
  /** @type {Table[]} */
  let tables = []
  /** any: whatever was thrown @type {any} */
  let failure
  try {
    tables = await reading(path, async (db) => tablesOf(db), orderOf(values))
  } catch (/** @type {any} any: whatever was thrown */ error) {
    failure = error.cause ?? error
    if (failure.code !== 'LEVEL_CORRUPTION') throw error
  }
  const live = new Set(tables.map(({ number }) => number))
  const loose = files.filter(({ name, kind }) => kind === 'table' && !live.has(Number(name.split('.')[0])))
  if (values.json) {
    out.json({ directory: path, levels: levelsOf(tables), files, ...failure && { finding: findingOf(failure) }, unused: loose.map(({ name }) => name) })
    return failure ? 1 : 0
  }
  for (const { level, tables: ofLevel } of levelsOf(tables)) {
    out.line(`level ${level}: ${counted(ofLevel.length, 'table')}, ${sized(ofLevel.reduce((sum, { size }) => sum + size, 0))}`)
    out.line(table([['table', 'bytes', 'keys'], ...ofLevel.map(({ name, size, range }) => [`  ${name}`, size, range])]).split('\n').slice(1).join('\n'))
  }
  if (failure) out.line(lineOf(failure))
  out.line()
  out.line(table([['file', 'bytes', ''], ...files.map(({ name, kind, size }) => [shown(Buffer.from(name), 'utf8'), size, loose.some((one) => one.name === name) && !failure ? 'table, not in use' : kind])]))
  return failure ? 1 : 0
}

/** @param {Table[]} tables */
function levelsOf(tables) {
  /** @type {{ level: number, tables: Omit<Table, 'level'>[] }[]} */
  const levels = []
  for (const { level, ...rest } of tables) {
    if (levels.at(-1)?.level !== level) levels.push({ level, tables: [] })
    levels.at(-1)?.tables.push(rest)
  }
  return levels
}
