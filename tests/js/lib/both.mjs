// Runs the same test with Varve and with classic-level, which is C++ LevelDB. A test that
// classic-level fails is wrong.
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { Varve } from '../../../src/js/index.js'

export const CLASSES = { Varve, ClassicLevel }

let root
let count = 0

/** Returns the path of a directory that does not exist yet; all are removed at the end. */
export function newPlace() {
  if (root === undefined) {
    root = mkdtempSync(join(tmpdir(), 'varve-classic-'))
    after(() => rmSync(root, { recursive: true, force: true }))
  }
  return join(root, String(count++))
}

/**
 * Registers one test for each class. `body` gets the class, a new path and `open(options, place)`;
 * databases are closed afterwards.
 * @param {string} title
 * @param {(context: { Level: any, name: string, place: string, open: (options?: object, place?: string) => Promise<any> }, t: any) => Promise<void>} body
 * @param {{ only?: string[], options?: object }} [limits] names of the classes, if not all; options
 *   of node:test
 */
export function forBoth(title, body, { only = Object.keys(CLASSES), options = {} } = {}) {
  for (const name of only) {
    test(`${name}: ${title}`, options, async (t) => {
      const opened = []
      const Level = CLASSES[name]
      const place = newPlace()
      const open = async (given, where = place) => {
        const db = new Level(where, given)
        opened.push(db)
        await db.open()
        return db
      }
      try {
        await body({ Level, name, place, open }, t)
      } finally {
        for (const db of opened) await db.close()
      }
    })
  }
}

/** A group of tests with a heading. */
export const group = (title, body) => describe(title, body)

/** Returns the code of the error of `act` (of the cause, for a failed open), or 'done'. */
export async function codeOf(act) {
  try {
    await act()
    return 'done'
  } catch (error) {
    return error.cause?.code ?? error.code ?? error.name
  }
}

/** Returns the names of the files with this ending. */
export const filesOf = (place, end) => existsSync(place) ? readdirSync(place).filter((name) => name.endsWith(end)) : []

/** Returns the size of these files. */
export const bytesOf = (place, end) => filesOf(place, end).reduce((sum, name) => sum + statSync(join(place, name)).size, 0)

/** Returns entries `key00000`, `key00001` ... for a batch. */
export function entries(count, value = (i) => `value${i}`, from = 0) {
  return Array.from({ length: count }, (_, i) => ({ type: 'put', key: keyOf(from + i), value: value(from + i) }))
}

export const keyOf = (i) => `key${String(i).padStart(5, '0')}`

/** Returns incompressible text, always the same. */
export function noise(length, seed = 1) {
  let text = ''
  let state = BigInt(seed) * 0x9e3779b97f4a7c15n & 0xffffffffffffffffn
  while (text.length < length) {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn
    text += (state >> 16n).toString(36)
  }
  return text.slice(0, length)
}
