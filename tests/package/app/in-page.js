import { use } from './smoke.js'

/** Runs the program and posts its result to the server of the page. */
export async function inPage(varve) {
  try {
    const db = new varve.Varve(null, { storage: 'memory', valueEncoding: 'json' })
    await db.open()
    const answer = await use(varve, db)
    await db.close()
    await post({ answer, inWorker: await inWorker(varve), imported: await imported(varve), named: await named(varve) })
  } catch (error) {
    await post({ error: String(error?.stack ?? error), code: error?.code, cause: error?.cause?.code, message: String(error?.cause?.message) })
  }
}

/** Returns what a database by name keeps, and where it is, or the code of the error. */
async function named(varve) {
  try {
    const db = new varve.Varve('lakes')
    await db.put('tr/van', '451', { sync: true })
    await db.close()
    const again = new varve.Varve('lakes')
    const found = [await again.get('tr/van'), (await again.info()).storage]
    await again.close()
    return found
  } catch (error) {
    return [error.code]
  }
}

/** Returns the result with an engine in a worker, or the codes of the error. */
async function inWorker(varve) {
  const db = new varve.Varve(null, { storage: 'memory', worker: true })
  try {
    await db.open()
    await db.batch([{ type: 'put', key: 'a', value: 'ä' }, { type: 'put', key: 'b', value: 'ß' }])
    return await db.iterator().all()
  } catch (error) {
    return [error.code, error.cause?.code, String(error.cause?.message)]
  } finally {
    await db.close()
  }
}

/** Returns the entries of an exported and imported zip, or the codes of the error. */
async function imported(varve) {
  const db = new varve.Varve(null, { storage: 'memory' })
  await db.put('a', '1')
  const zip = await new Response(db.export()).arrayBuffer()
  await db.close()
  try {
    const copy = await varve.Varve.import(null, zip, { storage: 'memory' })
    const rows = await copy.iterator().all()
    await copy.close()
    return rows
  } catch (error) {
    return [error.code, String(error.message).includes('varve/full')]
  }
}

const post = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) })
