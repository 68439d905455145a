import { use } from './smoke.js'

/** Runs the program and posts its answer to the server that the page is from. */
export async function inPage(varve) {
  try {
    const db = new varve.Varve(null, { storage: 'memory', valueEncoding: 'json' })
    await db.open()
    const answer = await use(varve, db)
    await db.close()
    // A directory needs Node: said by an error with a code, not by a module that cannot be loaded.
    const refused = await new varve.Varve('./directory').open().catch((error) => error)
    await post({ answer, directory: [refused.code, refused.cause?.code, refused.cause instanceof varve.VarveError] })
  } catch (error) {
    await post({ error: String(error?.stack ?? error), code: error?.code, cause: error?.cause?.code, message: String(error?.cause?.message) })
  }
}

const post = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) })
