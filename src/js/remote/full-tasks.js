// The worker's side of full-worker.js: runs tasks of the full module on a storage of the page.
import { Engine } from '../engine/engine.js'
import { Calls } from './calls.js'
import { describe } from './failure.js'
import { LentStorage } from './lent-storage.js'

/**
 * @param {(message: object, transfer: ArrayBuffer[]) => void} post
 * @param {(name: string, base?: unknown, kind?: string) => any} [directoryAt] any: the storage of a named database
 * @returns {(message: object) => void} takes messages of the other side
 */
export function serveTasks(post, directoryAt = () => { throw new Error('no names here') }) {
  const calls = new Calls(post)
  /** @type {import('../engine/zip-import.js').ZipImport | undefined} */
  let zip
  const importing = () => {
    if (zip === undefined) throw new Error('no import was started')
    return zip
  }
  /** @param {any} loan any: see FullWorker */
  const storageOf = async (loan) => loan.named === undefined ? new LentStorage(calls, loan) : directoryAt(loan.named, undefined, loan.storage)
  calls.serve({
    repair: async (loan, options, anyComparator) => described(await Engine.repair(await storageOf(loan), options, anyComparator)),
    async verifyFiles(loan, options) {
      const files = await storageOf(loan)
      // Verifying takes no lock, but files of a browser cannot be read while they are open elsewhere.
      await files.acquire?.()
      try {
        return described(await Engine.verifyFiles(files, options))
      } finally {
        await files.release?.()
      }
    },
    async importBegin(loan, limits) { zip = await Engine.import(await storageOf(loan), limits) },
    importFeed: (bytes, last) => importing().feed(bytes, last),
    async importEnd(options) { await (await importing().open(options)).close() },
    importAbort: () => importing().abort()
  })
  return (message) => calls.receive(message)
}

/**
 * A report whose findings, which are errors, can be cloned.
 * @param {{ findings: unknown[] }} report
 */
function described(report) {
  return { ...report, findings: report.findings.map((error) => describe(error)) }
}
