// The databases among the open files: each is a folder with CURRENT or a manifest in it.

/** @typedef {import('./file.js').OpenFile} OpenFile */
/** @typedef {import('varve/inspect').DirectoryMap} DirectoryMap */

/**
 * A database, as far as its files were compared.
 *
 * @typedef {object} Folder
 * @property {string} name of the folder, with its slash; '' for the one that was opened
 * @property {OpenFile[]} files
 * @property {Map<string, string>} times when tables were written, by their numbers, as LOG has it
 * @property {Pick<DirectoryMap, 'findings' | 'summary' | 'files'> & { manifest?: { name: string } } | undefined} map
 */

/** A manifest alone is no database whose other files are missing. @param {OpenFile[]} files @returns {Folder[]} */
export function foldersOf(files) {
  /** @type {Map<string, OpenFile[]>} */
  const folders = new Map()
  for (const file of files) {
    const folder = file.name.slice(0, file.name.lastIndexOf('/') + 1)
    const inside = folders.get(folder)
    if (inside === undefined) folders.set(folder, [file])
    else inside.push(file)
  }
  return [...folders].filter(([folder, inside]) => inside.length > 1 && inside.some(({ name }) => /^(CURRENT|MANIFEST-\d+)$/.test(name.slice(folder.length)))).map(([name, inside]) => ({ name, files: inside, times: new Map(), map: undefined }))
}

/** The sentence for a role. @type {Record<string, string>} */
export const ROLES = {
  current: 'names the manifest', 'current manifest': 'the manifest', 'old manifest': 'an old manifest', live: 'live', orphan: 'not named by the manifest', missing: 'missing',
  'current log': 'the log', 'log to replay': 'a log to replay', 'old log': 'an old log', table: 'table', log: 'log', misnamed: 'of another name', lock: 'the lock, empty on purpose', 'info log': 'LevelDB’s own notes',
  temporary: 'temporary', other: 'not LevelDB’s'
}
