// Salvage in a worker, which keeps what was counted until it is saved.
import { salvage } from 'varve/inspect'

/** @type {import('varve/inspect').Salvaged | undefined} */
let salvaged
/** Bytes read between two reports. */
const PROGRESS = 1 << 20

/**
 * The dry run: the report of what can be saved.
 * @param {import('varve/inspect').Source[]} files
 * @param {string} folder of the database, with its slash
 * @param {import('varve/inspect').SalvageOptions} options
 * @param {AbortSignal} signal
 * @param {(done: number) => void} part is told how many bytes were read
 */
export async function salvageCall(files, folder, options, signal, part) {
  const sources = files.map((source) => ({ ...source, name: source.name.slice(folder.length) }))
  let told = 0
  await salvaged?.close()
  salvaged = await salvage(sources, {
    ...options,
    signal,
    progress(done) {
      if (done - told < PROGRESS) return
      told = done
      part(done)
    }
  })
  return salvaged.report
}

/**
 * Hands over what was counted, or copies it to the new database `name` of this site.
 * @param {import('./model/salvage.js').Target} target
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {(part: any) => void} part any: pieces of the file, or how many bytes were read
 */
export async function saveCall(target, name, signal, part) {
  if (salvaged === undefined) throw new Error('what was counted is gone: make the dry run again')
  if (target === 'opfs' || target === 'indexeddb') return salvaged.copyToOrigin(name, { storage: target, signal, progress: part })
  for await (const piece of salvaged[target]({ signal })) part(piece)
}
