// The live tables of a directory, by its manifest.
import { detect } from './detect.js'
import { nameOf } from './keys.js'
import { mapManifest } from './manifest.js'
import { newInstance } from './module.js'
import { bytesAt } from './source.js'

/** @typedef {import('../types/inspect.js').Source} Source */

/** Bytes of CURRENT that are read. */
const CURRENT_MAX = 4096

/**
 * The version that an engine would open, encoded as one edit, and why it would open none.
 *
 * @typedef {object} LastVersion
 * @property {Uint8Array} state
 * @property {string} doubt empty: there is none
 * @property {number} manifest its place among the sources; -1: none
 * @property {string} comparator empty: no manifest names one
 * @property {ReturnType<Awaited<ReturnType<typeof newInstance>>['inspectDirectory']>} inspector which knows the files and the version
 */

/**
 * @param {Source[]} sources
 * @param {AbortSignal} [signal]
 * @returns {Promise<LastVersion>}
 */
export async function lastVersion(sources, signal) {
  const inspector = (await newInstance()).inspectDirectory()
  for (const { name, size } of sources) inspector.add(name, size)
  let doubt = await readCurrent(sources, inspector)
  const manifest = inspector.manifest()
  const none = { state: new Uint8Array(0), manifest, comparator: '', inspector }
  if (manifest < 0) return { ...none, doubt: doubt || 'no manifest tells which tables are live' }
  try {
    const { kind, format } = await detect(sources[manifest])
    inspector.detected(manifest, kind, format)
    if (inspector.isRelative()) return { ...none, manifest: -1, doubt: `${sources[manifest].name} is a ${format}, which is not read` }
    const { state, findings, summary } = await mapManifest(sources[manifest], { signal, maxEdits: 0 })
    const bad = findings.find(({ severity }) => severity === 'bad')
    if (bad) doubt ||= `${sources[manifest].name} is damaged at offset ${bad.offset}: ${bad.reason}`
    inspector.version(state)
    return { state, doubt, manifest, comparator: nameOf(summary.facts.comparator) ?? '', inspector }
  } catch (/** @type {any} any: whatever was thrown */ error) {
    signal?.throwIfAborted()
    return { ...none, doubt: `${sources[manifest].name} cannot be read: ${error?.message ?? error}` }
  }
}

/**
 * Tells the inspector what CURRENT says; returns why it names no manifest.
 * @param {Source[]} sources
 * @param {{ current: (bytes: Uint8Array) => void, manifest: () => number }} inspector
 */
export async function readCurrent(sources, inspector) {
  const source = sources.find(({ name }) => name === 'CURRENT')
  if (source === undefined) return 'CURRENT is missing, which names the manifest'
  let bytes
  try {
    bytes = await bytesAt(source, 0, Math.min(source.size, CURRENT_MAX))
  } catch (/** @type {any} any: whatever was thrown */ error) {
    return `CURRENT cannot be read: ${error?.message ?? error}`
  }
  inspector.current(bytes)
  const named = new TextDecoder().decode(bytes)
  const chosen = inspector.manifest()
  return chosen >= 0 && named === `${sources[chosen].name}\n` ? '' : 'CURRENT does not name a manifest that is there'
}
