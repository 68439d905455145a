// The shared corpus: databases that other engines wrote.
import fs from 'node:fs'
import { join } from 'node:path'
import { inRoot } from '../../../pkg-scripts/lib/paths.mjs'

export const corpus = process.env.VARVE_CORPUS ?? inRoot('..', 'shared', 'corpus')

/** Why tests of the corpus are skipped; false if they are not. */
export const noCorpus = !fs.existsSync(join(corpus, 'manifest.json')) && `no corpus at ${corpus} (set VARVE_CORPUS)`

/** The paths of files. @param {RegExp} pattern */
export const corpusFiles = (pattern) => fs.readdirSync(corpus, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).filter((path) => pattern.test(path)).sort()
