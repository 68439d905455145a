// The files of a database together: what each is, its role, and what they say of one another.
import { keyOf, openBlock } from './block.js'
import { detect } from './detect.js'
import { sweepLog } from './log.js'
import { mapManifest } from './manifest.js'
import { nameOf } from './keys.js'
import { newInstance } from './module.js'
import { bytesAt } from './source.js'
import { mapTable, sweepTable } from './table.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').Detected} Detected */
/** @typedef {import('../types/inspect.js').Finding} Finding */
/** @typedef {import('../types/inspect.js').Span} Span */
/** @typedef {import('../types/inspect.js').TableMap} TableMap */
/** @typedef {import('../types/inspect.js').DirectoryFile} DirectoryFile */
/** @typedef {import('../types/inspect.js').DirectoryMap} DirectoryMap */
/** @typedef {{ signal?: AbortSignal, progress?: (done: number, of: number, name: string) => void, sweep?: boolean, sequences?: Record<string, number>, comparator?: string }} Options */
/** @typedef {ReturnType<Awaited<ReturnType<typeof newInstance>>['inspectDirectory']>} Inspector */

/** Files that are opened; others are listed by name. */
const FILES_MAX = 100_000

/** Bytes of CURRENT that are read. */
const CURRENT_MAX = 4096

/**
 * @param {Source[]} sources
 * @param {Options} [options]
 * @returns {Promise<DirectoryMap>}
 */
export async function mapDirectory(sources, options = {}) {
  const { signal, progress } = options
  const inspector = (await newInstance()).inspectDirectory()
  /** @type {DirectoryFile[]} */
  const files = []
  for (const [at, source] of sources.entries()) {
    signal?.throwIfAborted()
    const { name, size } = source
    /** @type {DirectoryFile} */
    const file = { name, size, role: '', findings: [] }
    files.push(file)
    inspector.add(name, size)
    await readable(inspector, at, signal, async () => {
      if (at >= FILES_MAX) return
      file.detected = await detect(source)
      inspector.detected(at, file.detected.kind, file.detected.format)
    })
  }
  await readCurrent(sources, inspector, signal)
  const manifest = await readManifest(sources, inspector, files, options)
  const comparator = nameOf(manifest?.summary.facts.comparator) ?? options.comparator
  for (const [at, source] of sources.entries()) {
    progress?.(at, sources.length, source.name)
    await readable(inspector, at, signal, () => readFile(source, at, inspector, files[at], { ...options, comparator }))
  }
  progress?.(sources.length, sources.length, '')
  return concluded(inspector, files, manifest)
}

/**
 * Runs `task`; its failure is a finding about the file.
 * @param {Inspector} inspector
 * @param {number} at
 * @param {AbortSignal | undefined} signal
 * @param {() => Promise<void>} task
 */
async function readable(inspector, at, signal, task) {
  try {
    await task()
  } catch (/** @type {any} any: whatever was thrown */ error) {
    signal?.throwIfAborted()
    inspector.unreadable(at, String(error?.message ?? error))
  }
}

/** @param {Source[]} sources @param {Inspector} inspector @param {AbortSignal} [signal] */
async function readCurrent(sources, inspector, signal) {
  const at = sources.findIndex(({ name }) => name === 'CURRENT')
  if (at < 0) return
  await readable(inspector, at, signal, async () => {
    const { size } = sources[at]
    const content = await bytesAt(sources[at], 0, Math.min(size, CURRENT_MAX))
    if (content.length === 0 && size > 0) throw new Error('none of its bytes can be read')
    inspector.current(content)
  })
}

/**
 * @param {Source[]} sources
 * @param {Inspector} inspector
 * @param {DirectoryFile[]} files
 * @param {Options} options
 */
async function readManifest(sources, inspector, files, { signal }) {
  const at = inspector.manifest()
  if (at < 0) return undefined
  /** @type {import('../types/inspect.js').ManifestMap | undefined} */
  let map
  await readable(inspector, at, signal, async () => {
    map = await mapManifest(sources[at], { signal })
    inspector.version(map.state)
    if (map.findings.length > 0) inspector.manifestIncomplete(map.findings.some(({ severity }) => severity !== 'info'))
    files[at].summary = map.summary
    files[at].findings.push(...map.findings)
  })
  return map && { name: sources[at].name, ...map }
}

/**
 * @param {Source} source
 * @param {number} at
 * @param {Inspector} inspector
 * @param {DirectoryFile} file
 * @param {Options} options
 */
async function readFile(source, at, inspector, file, { signal, sweep = false, sequences = {}, comparator }) {
  const kind = file.detected?.kind
  // What RocksDB wrote for itself is no damage. A log of its database may begin as one of LevelDB's.
  if (inspector.isRelativeFile(at) || (inspector.isRelative() && kind !== 'table')) return
  const isTable = kind === 'table' || file.detected?.named === 'table' && kind !== undefined
  const isLog = kind === 'log' || isNamed(file, /^\d+\.log$/)
  const isManifest = kind === 'manifest' || isNamed(file, /^MANIFEST-\d+$/)
  if (isLog) {
    for await (const { findings, summary } of sweepLog(source, { signal })) {
      file.findings.push(...findings)
      file.summary ??= summary
    }
  } else if (isManifest) {
    if (file.summary !== undefined) return
    const { findings, summary } = await mapManifest(source, { signal, maxEdits: 0 })
    file.findings.push(...findings)
    file.summary = summary
  } else if (isTable) {
    const map = await mapTable(source, { signal })
    file.summary = map.summary
    if (!sweep) file.findings.push(...map.findings)
    else await sweepInto(file, source, signal, comparator)
    const [smallest, largest] = await boundsOf(source, map)
    if (kind !== 'foreign' && map.findings.some(({ code }) => code === 'T01' || code === 'T02')) inspector.withoutFooter(at)
    const known = Object.hasOwn(sequences, file.name) ? sequences[file.name] : -1
    const sequence = Number(file.summary.facts.maxSequence ?? known)
    inspector.table(at, smallest, largest, sequence)
  }
}

/** What a database takes a file for, whatever is in it. @param {DirectoryFile} file @param {RegExp} pattern */
const isNamed = ({ name, size, detected }, pattern) => detected !== undefined && size > 0 && pattern.test(name)

/** @param {DirectoryFile} file @param {Source} source @param {AbortSignal} [signal] @param {string} [comparator] */
async function sweepInto(file, source, signal, comparator) {
  for await (const { findings, summary } of sweepTable(source, { signal, comparator })) {
    file.findings.push(...findings)
    if (summary) file.summary = summary
  }
}

const NO_KEY = new Uint8Array(0)

/**
 * The first and last internal key, from the first and last data block.
 * @param {Source} source
 * @param {TableMap} map
 */
async function boundsOf(source, { handles, findings }) {
  const count = handles?.offset.length ?? 0
  if (handles === undefined || count === 0 || findings.some(({ severity }) => severity === 'bad')) return [NO_KEY, NO_KEY]
  const [first, last] = [await blockAt(source, handles, 0), await blockAt(source, handles, count - 1)]
  if (first === undefined || last === undefined) return [NO_KEY, NO_KEY]
  return [keyOf(first, 0), keyOf(last, last.entries.length - 1)]
}

/**
 * A block without damage.
 * @param {Source} source
 * @param {{ offset: Float64Array, size: Float64Array }} handles
 * @param {number} at
 */
async function blockAt(source, { offset, size }, at) {
  const block = await openBlock(source, { kind: 'data', offset: offset[at], size: size[at] })
  return block.span.findings.length === 0 && block.entries.length > 0 ? block : undefined
}

/**
 * @param {Inspector} inspector
 * @param {DirectoryFile[]} files
 * @param {DirectoryMap['manifest']} manifest
 * @returns {DirectoryMap}
 */
function concluded(inspector, files, manifest) {
  const lines = inspector.conclude().trimEnd().split('\n')
  const summary = JSON.parse(lines[0])
  let next = 1
  for (; lines[next]?.startsWith('{'); next++) {
    const { length, facts } = JSON.parse(lines[next])
    const missing = files.length < next && { name: `${String(facts.number).padStart(6, '0')}.ldb`, size: length, findings: [] }
    if (missing) files.push({ ...missing, role: 'missing' })
    Object.assign(files[next - 1], facts)
    if (facts.unfinished) files[next - 1].findings = []
  }
  /** @type {DirectoryMap['findings']} */
  const findings = []
  for (; next < lines.length; next += 2) {
    const file = files[Number(lines[next])]
    const finding = JSON.parse(lines[next + 1])
    findings.push({ ...file && { file: file.name }, ...finding })
    file?.findings.push(finding)
  }
  // Those of the directory first, then those inside the files.
  const own = new Set(findings.map(({ file, code, reason }) => `${file} ${code} ${reason}`))
  for (const { name, findings: inside } of files) {
    for (const finding of inside) {
      if (!own.has(`${name} ${finding.code} ${finding.reason}`)) findings.push({ file: name, ...finding })
    }
  }
  return { summary, files, findings, ...manifest && { manifest } }
}
