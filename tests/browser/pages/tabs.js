// One of several tabs with the same database, for tests that call it by page.evaluate().
import { Varve } from '/pkg/browser.js'

const own = { db: undefined, wrote: 0, fenced: 0, unknown: 0, wrong: [], longest: 0, done: true, error: undefined }

const key = (client, n) => `entry/${client}/${String(n).padStart(6, '0')}`

/** The last number that a client has written, as the database has it. */
const lastOf = async (client) => Number(await own.db.get(`last/${client}`) ?? 0)

/**
 * Writes the numbers up to `target`, each in a batch; goes on from what is there. After each answer
 * the database must have that number and no other.
 */
async function work(client, target) {
  own.done = false
  try {
    let n = await lastOf(client)
    while (n < target) {
      const start = performance.now()
      try {
        await own.db.batch([
          { type: 'put', key: key(client, n + 1), value: `value ${n + 1} of ${client}` },
          { type: 'put', key: `last/${client}`, value: String(n + 1) }
        ], { sync: n % 100 === 0 })
        n++
        if (n % 7 === 0) await check(client, n)
      } catch (error) {
        if (error.code !== 'LEVEL_FENCED') throw error
        own.fenced++
        if (!error.maybeApplied) continue
        own.unknown++
        const there = await lastOf(client)
        if (there !== n && there !== n + 1) own.wrong.push(`${client}: ${there} is there after ${n}`)
        n = there
      }
      own.wrote = n
      own.longest = Math.max(own.longest, performance.now() - start)
    }
  } catch (error) {
    own.error = `${error.code}: ${error.message}${error.cause ? ` (${error.cause.code}: ${error.cause.message})` : ''}`
  }
  own.done = true
}

async function check(client, n) {
  try {
    const there = await lastOf(client)
    if (there !== n) own.wrong.push(`${client}: ${there} is there, ${n} was acknowledged`)
  } catch (error) {
    if (error.code !== 'LEVEL_FENCED') throw error
  }
}

function open(name, options) {
  own.db = globalThis.db = new Varve(name, options)
  return own.db
}

const state = () => ({ ...own, db: undefined })

Object.assign(globalThis, { Varve, open, work, state, lastOf, isReady: true })
