import { closeSync, openSync, readSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { traceKey } from '../../inspect/index.js'
import { COMPARATOR_OPTION, ENCODING_OPTIONS, JSON_OPTION, UsageError, wholeOf } from '../arguments.js'
import { orderIn } from '../comparator.js'
import { checkDirectory, systemError } from '../location.js'
import { bytesOf, counted, grouped, inJson, shown, table, visible } from '../text.js'

/** @typedef {import('../arguments.js').Call} Call */
/** @typedef {import('../../types/inspect.js').Source} Source */
/** @typedef {import('../../types/inspect.js').Trace} Trace */
/** @typedef {import('../../types/inspect.js').TraceStep} TraceStep */

/** @type {import('../arguments.js').Command} */
export const command = {
  name: 'trace',
  summary: 'show which files and blocks a look-up of a key reads, and why',
  usage: '<directory> <key>',
  details: `Prints each step of the look-up: the logs, which stand for the memory of an open database; the tables of level 0, newest
first; one table of each deeper level: whether its range, its filter and its block have the key. Then the answer and the cost.
Opens no database and takes no lock. Exit code 1 if the key does not exist, 2 if damage hides whether it does, or the manifest
names a comparator that is not known.`,
  positionals: [2, 2],
  options: {
    at: { type: 'string', value: 'N', help: 'look up as of sequence number N (default: the last)' },
    ...ENCODING_OPTIONS,
    ...JSON_OPTION,
    ...COMPARATOR_OPTION
  },

  /** @param {Call} call */
  async run({ values, positionals: [path, text], out }) {
    const { keyEncoding, valueEncoding } = values
    checkDirectory(path, 'read')
    const key = bytesOf(text, keyEncoding, 'the key')
    const sequence = wholeOf(values, 'at')
    if (values.comparator === 'as-stored') throw new UsageError('a key can only be looked up in an order: leave --comparator out')
    await orderIn(path, values)
    const files = filesIn(path)
    try {
      const trace = await traceKey(files, key, { sequence })
      const { answer, value, reason, steps, bill } = trace
      if (values.json) {
        out.json({ key: inJson(key, keyEncoding), answer, ...value && { value: inJson(value, valueEncoding) }, ...reason && { reason }, sequence: trace.sequence, steps, bill })
      } else {
        const rows = steps.map((step, index) => [grouped(index + 1), step.level === undefined ? 'log' : `L${step.level}`, visible(step.file ?? ''), pathOf(step), resultOf(step)])
        out.line(table([['step', 'where', 'file', 'what happens', 'result'], ...rows]))
        out.line(answer === 'value' ? `found: ${shown(value ?? new Uint8Array(), valueEncoding)}` : answer === 'unknown' ? `unknown: ${visible(reason ?? '')}` : answer)
        out.line(`${counted(bill.tables, 'table')} considered, ${grouped(bill.skipped)} skipped by range; ${counted(bill.filters, 'filter')} asked, ${grouped(bill.noes)} said no, ${counted(bill.falsePositives, 'false positive')}; ${counted(bill.blocks, 'block')}, ${grouped(bill.blockBytes)} B read (without filters ${grouped(bill.blocksUnfiltered)}, ${grouped(bill.bytesUnfiltered)} B)`)
      }
      return answer === 'value' ? 0 : answer === 'unknown' ? 2 : 1
    } finally {
      for (const file of files) file.close()
    }
  }
}

/** @param {TraceStep} step */
function pathOf({ kind, outcome, skipped = 0, filter, slot, offset, length, mentions = 0, reason }) {
  const others = skipped > 0 ? `${counted(skipped, 'table')} skipped by range` : ''
  if (kind === 'level') return others
  if (reason !== undefined) return visible(reason)
  if (kind === 'log') return `${counted(mentions, 'operation')} of the key`
  if (outcome === 'skipped') return 'skipped by range'
  const asked = filter === undefined ? [] : [`filter ${grouped(slot ?? 0)}: ${filter}`]
  const read = filter === 'no' || offset === undefined ? [] : [`block at ${grouped(offset)}, ${grouped(length ?? 0)} B`]
  return ['in range', ...asked, ...read, ...others === '' ? [] : [others]].join(', ')
}

/** @param {TraceStep} step */
function resultOf({ outcome, sequence, falsePositive }) {
  if (outcome === 'found' || outcome === 'newer') return `${outcome}, sequence ${sequence}`
  if (outcome === 'deleted') return `tombstone, sequence ${sequence}`
  return falsePositive ? 'not there: a false positive' : outcome === 'absent' || outcome === 'filtered' || outcome === 'past end' ? 'not there' : outcome
}

/** @param {string} path */
function filesIn(path) {
  try {
    return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isFile()).flatMap(({ name }) => {
      // A file of a running database may be gone by now.
      const status = statSync(join(path, name), { throwIfNoEntry: false })
      return status === undefined ? [] : [new OpenedFile(join(path, name), name, status.size)]
    })
  } catch (error) {
    throw systemError(error, path)
  }
}

/** @implements {Source} */
class OpenedFile {
  #path
  /** @type {number | undefined} */
  #fd

  /** @param {string} path @param {string} name @param {number} size */
  constructor(path, name, size) {
    this.#path = path
    this.name = name
    this.size = size
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    this.#fd ??= openSync(this.#path, 'r')
    let done = 0
    for (let count = 1; done < into.length && count > 0; done += count) count = readSync(this.#fd, into, done, into.length - done, offset + done)
    return done
  }

  close() {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }
}
