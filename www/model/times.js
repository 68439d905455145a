// When tables were written, by LOG: LevelDB's own notes, whose lines begin with the local time. Its
// edits carry no time.
//
//   2026/11/21-02:21:05.269263 139892952782528 Level-0 table #5: 61373 bytes OK
//   2026/11/21-02:21:05.556229 140400648115904 Generated table #8@1: 480 keys, 9633 bytes
//   2026-11-21T02:21:05.269+01:00 ...          (some builds)
import { bytesOf } from './bytes.js'

/** Of a longer one, the end is read. */
const READ_MAX = 8 << 20

const WRITTEN = /^(\d{4}[/-]\d\d[/-]\d\d[-T ]\d\d:\d\d:\d\d(?:[.,]\d+)?)\S* .*?(?:Level-0 table #(\d+): \d+ bytes OK|Generated table #(\d+)@\d+: \d+ keys)/gm

/**
 * The times in the text of a LOG, to the millisecond, by the numbers of the tables.
 * @param {string} text
 * @returns {Map<string, string>}
 */
export function timesIn(text) {
  const times = new Map()
  for (const [, time, flushed, generated] of text.matchAll(WRITTEN)) times.set(flushed ?? generated, time.replaceAll('/', '-').replace(/(\d)-(\d\d:)/, '$1 $2').replace('T', ' ').replace(/(\.\d{3})\d+$/, '$1'))
  return times
}

/**
 * Those in all LOG files of a folder; the newer file counts.
 * @param {import('./folders.js').Folder} folder
 */
export async function timesOf({ name, files }) {
  const times = new Map()
  for (const wanted of ['LOG.old', 'LOG']) {
    const file = files.find((each) => each.name === `${name}${wanted}`)
    if (file === undefined || file.detected?.kind !== 'info log') continue
    const text = new TextDecoder().decode(await bytesOf(file.given, Math.max(0, file.size - READ_MAX), READ_MAX))
    for (const [number, time] of timesIn(text)) times.set(number, time)
  }
  return times
}
