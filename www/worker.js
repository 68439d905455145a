// Reads and decodes files for the page, which never decodes anything itself. The page has two of
// these: one for what is being looked at, one that sweeps whole files, so that it never delays a
// click; and others where a live database runs, and where one is salvaged.
import { databasesOfOrigin, detect, filesOfOrigin, keyHistory, levelsAt, load, mapDirectory, mapTable, measureFilter, openBlock, openEdit, openFilter, openRecord, openZip, probeFilter, searchFiles, sha256, sweepLog, sweepManifest, sweepTable, testFilter, traceKey, traceTable } from 'varve/inspect'
import { sourceOf } from './model/bytes.js'
import { cached, readAhead } from './model/cache.js'
import { keysOfBlock, keysOfRecord, ranked } from './explain.js'

/** @type {Map<number, import('./model/bytes.js').Given>} */
const files = new Map()
/** Zips that were looked into. @type {Map<number, import('varve/inspect').Zip>} */
const zips = new Map()
/** @type {Map<number, AbortController>} */
const running = new Map()

/** @param {number} id */
function fileOf(id) {
  const given = files.get(id)
  if (given === undefined) throw new Error(`there is no file ${id}`)
  return sourceOf(given)
}

/** The files of a folder, without its name. @param {number[]} ids @param {string} folder */
function filesIn(ids, folder) {
  return ids.map((id) => {
    const source = fileOf(id)
    return { ...source, name: source.name.slice(folder.length) }
  })
}

// Messages that come before it is loaded wait for it.
const ready = moduleOf().then(load)

/** The engine's module: beside this script, or in the page that is one file. @returns {Promise<URL | ArrayBuffer>} */
async function moduleOf() {
  /** @type {string | undefined} */
  const inside = /** @type {any} any: set by that page */ (globalThis).VARVE_WASM
  if (inside === undefined) return new URL('./full.wasm', import.meta.url)
  const packed = Uint8Array.from(atob(inside), (character) => character.charCodeAt(0))
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer()
}

/** Of an edit, which is no batch. */
const NO_OPERATIONS = {
  length: 0, offset: new Uint32Array(), keyStart: new Uint32Array(), keyEnd: new Uint32Array(), valueStart: new Uint32Array(), end: new Uint32Array(), type: new Uint8Array(), sequence: new Float64Array()
}

/** any: each call has its own arguments and answers @type {Record<string, (args: any[], signal: AbortSignal, part: (part: any) => void) => Promise<any>>} */
const calls = {
  async detect([id]) {
    return detect(cached(id, fileOf(id)))
  },
  async databases() {
    return databasesOfOrigin()
  },
  async origin([name, storage]) {
    return filesOfOrigin(name, storage)
  },
  async map([id, scheme], signal) {
    const map = await mapTable(cached(id, fileOf(id)), { signal })
    return { ...map, ...map.index && { index: await keysOfBlock(map.index, scheme) } }
  },
  async block([id, block, scheme]) {
    return keysOfBlock(await openBlock(cached(id, fileOf(id)), block), scheme)
  },
  async record([id, record, scheme]) {
    return keysOfRecord(await openRecord(cached(id, fileOf(id)), record), scheme)
  },
  async edit([id, edit]) {
    return { ...await openEdit(cached(id, fileOf(id)), edit), operations: NO_OPERATIONS }
  },
  async levels([id, checkpoints, edit], signal) {
    return ranked(await levelsAt(cached(id, fileOf(id)), { checkpoints }, edit, { signal }))
  },
  async sweep([id, kind, comparator], signal, part) {
    if (kind === 'log') for await (const swept of sweepLog(readAhead(fileOf(id)), { signal, comparator })) part(swept)
    else if (kind === 'manifest') for await (const swept of sweepManifest(readAhead(fileOf(id)), { signal })) part(swept)
    else for await (const swept of sweepTable(readAhead(fileOf(id)), { signal, comparator })) part(swept)
  },
  async directory([ids, folder, sequences], signal, part) {
    const sources = filesIn(ids, folder)
    const { files, findings, summary, manifest } = await mapDirectory(sources, { signal, sequences, progress: (done, of) => part({ done, of }) })
    return { files, findings, summary, manifest: manifest && { name: manifest.name, summary: manifest.summary } }
  },
  async group([ids, wanted], signal, part) {
    const { grouped } = await import('./groups.js')
    for await (const groups of grouped(ids.map((/** @type {number} */ id) => readAhead(fileOf(id))), wanted, signal)) part(groups)
  },
  async live([call, ...args]) {
    const { liveCall } = await import('./live.js')
    return liveCall(call, args)
  },
  async zip([id], signal) {
    const zip = await openZip(fileOf(id), { signal })
    zips.set(id, zip)
    const { entries, prefix, databases } = zip
    return { entries: entries.length, prefix, databases, problems: entries.filter(({ problem }) => problem !== undefined) }
  },
  async unzip([id, index], signal) {
    const zip = zips.get(id) ?? await openZip(fileOf(id), { signal })
    zips.set(id, zip)
    const { size, at, blob, problem } = await zip.open(zip.entries[index], { signal })
    return { size, at, blob, problem }
  },
  async salvage([ids, folder, options], signal, part) {
    const { salvageCall } = await import('./salvage.js')
    return salvageCall(ids.map(fileOf), folder, options, signal, part)
  },
  async salvaged([target, name], signal, part) {
    const { saveCall } = await import('./salvage.js')
    return saveCall(target, name, signal, part)
  },
  async trace([ids, folder, key, sequence], signal, part) {
    return traceKey(filesIn(ids, folder), key, { sequence, signal, progress: part })
  },
  async traceTable([id, key, sequence, comparator], signal, part) {
    return traceTable(fileOf(id), key, { sequence, comparator, signal, progress: part })
  },
  async history([ids, folder, key], signal, part) {
    for await (const found of keyHistory(filesIn(ids, folder), key, { signal })) part(found)
  },
  async searchFiles([ids, folder, wanted], signal, part) {
    for await (const found of searchFiles(filesIn(ids, folder), wanted, { signal })) part(found)
  },
  async filter([id, parts]) {
    return openFilter(cached(id, fileOf(id)), { parts })
  },
  async probe([id, parts, key, comparator]) {
    return probeFilter(cached(id, fileOf(id)), { parts }, key, { comparator })
  },
  async measure([id, parts, seed, comparator]) {
    return measureFilter(cached(id, fileOf(id)), { parts }, { seed, comparator })
  },
  async test([id], signal, part) {
    for await (const tested of testFilter(fileOf(id), { signal })) part(tested)
  },
  async digest([id], signal) {
    return sha256(fileOf(id), { signal })
  },
  async export([id, blocks, wanted], signal, part) {
    const { exported } = await import('./export.js')
    for await (const each of exported(readAhead(fileOf(id)), blocks, wanted, signal)) part(each)
  },
  async search([id, blocks, query], signal, part) {
    const { search } = await import('./search.js')
    for await (const found of search(readAhead(fileOf(id)), blocks, query, signal)) part(found)
  }
}

/** The buffers of columns, which go to the page without a copy. @param {any} value @returns {Transferable[]} */
function buffersOf(value) {
  const found = new Set()
  const look = (/** @type {any} */ part, /** @type {number} */ depth) => {
    if (ArrayBuffer.isView(part) && part.byteLength > 0) found.add(part.buffer)
    else if (part !== null && typeof part === 'object' && depth < 3) for (const each of Object.values(part)) look(each, depth + 1)
  }
  look(value, 0)
  return [...found]
}

onmessage = async ({ data }) => {
  if (data.register !== undefined) return files.set(data.register, data.given)
  if (data.forget !== undefined) return files.delete(data.forget) && zips.delete(data.forget)
  if (data.cancel !== undefined) return running.get(data.cancel)?.abort()
  const { id, call, args } = data
  const control = new AbortController()
  running.set(id, control)
  try {
    await ready
    const value = await calls[call](args, control.signal, (part) => postMessage({ id, part }, { transfer: buffersOf(part) }))
    postMessage({ id, value }, { transfer: buffersOf(value) })
  } catch (/** @type {any} any: whatever was thrown */ error) {
    const { name, code, message } = error
    // After a trap the memory of the module cannot be trusted.
    postMessage({ id, error: { name, code, message }, crashed: error instanceof WebAssembly.RuntimeError })
  } finally {
    running.delete(id)
  }
}
