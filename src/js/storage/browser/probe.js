// Whether the origin private file system (OPFS) can be used here, and if not, why.
import { FULL, isFullDisk } from './full-disk.js'
import { isDedicatedWorker, isWindow } from './place.js'

/** Errors of a storage that is there but has no room, or another trouble, now. */
const TROUBLE = ['QuotaExceededError', 'UnknownError', 'NoModificationAllowedError']

/** The directory of all databases. */
export const ROOT = 'varve'

/**
 * The result of a probe. `why` names the cause, for a message; `cause` is what was thrown.
 * @typedef {{ ok: true } | { ok: false, why: string, cause?: unknown }} Probe
 */

/**
 * Opens a handle on a throw-away file: browsers may have the functions and refuse. A window cannot
 * open handles; there only the directory is looked at.
 * @returns {Promise<Probe>}
 */
export async function probeOpfs() {
  const storage = globalThis.navigator?.storage
  if (globalThis.isSecureContext === false) return no('the page is not in a secure context: serve it over https, or from localhost')
  if (typeof storage?.getDirectory !== 'function') return no('this browser has no navigator.storage.getDirectory()')
  let root
  try {
    root = await storage.getDirectory()
  } catch (/** @type {any} any: whatever was thrown */ error) {
    return no(`the browser refuses its private files (${error?.name}), as in some private windows`, error)
  }
  if (isWindow()) return { ok: true }
  if (!isDedicatedWorker()) return no('files can be opened in a dedicated worker only')
  const name = `probe-${Math.random().toString(36).slice(2)}`
  try {
    const file = /** @type {any} any: lib.dom does not declare createSyncAccessHandle() */ (await root.getFileHandle(name, { create: true }))
    if (typeof file.createSyncAccessHandle !== 'function') return no('this browser has no createSyncAccessHandle()')
    const handle = await file.createSyncAccessHandle()
    handle.close()
    return { ok: true }
  } catch (/** @type {any} any: whatever was thrown */ error) {
    // A full disk is not a lack of support: databases that are here must not be taken for missing.
    if (isFullDisk(error, [...FULL.create, ...FULL.open])) return { ok: true }
    if (TROUBLE.includes(error?.name) && await hasDatabases(root)) return { ok: true }
    return no(`a file in the browser's private files cannot be opened (${error?.name})`, error)
  } finally {
    await root.removeEntry(name).catch(() => {})
  }
}

/** @param {string} why @param {unknown} [cause] @returns {Probe} */
const no = (why, cause) => ({ ok: false, why, cause })

/** @param {FileSystemDirectoryHandle} root */
const hasDatabases = (root) => root.getDirectoryHandle(ROOT).then(() => true, () => false)
