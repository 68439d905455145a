// A small program with the package. Its result must be the same in every runtime and bundle.

/**
 * @param {typeof import('varve')} varve
 * @param {import('varve').Varve<string, unknown>} db open or opening, empty, values in json
 */
export async function use({ VarveError }, db) {
  const towns = Array.from({ length: 2000 }, (_, i) => [`town/${String(i).padStart(5, '0')}`, { name: `Größe ${i} 🏠`, people: i * i }])
  await db.batch(towns.map(([key, value]) => ({ type: 'put', key, value })))
  await db.put('town/00007', { name: 'seven', people: 7 })
  await db.del('town/00008')
  await db.flush()
  await db.compactRange()

  const snapshot = db.snapshot()
  await db.put('town/00009', 'later')
  const then = await db.get('town/00009', { snapshot })
  await snapshot.close()

  const sublevel = db.sublevel('sub', { keyEncoding: 'hex', valueEncoding: 'base64' })
  await sublevel.put('00ff10', 'AAECAw==')
  const bytes = await sublevel.get('00ff10', { valueEncoding: 'view' })
  const inSublevel = [await sublevel.get('00ff10'), Array.from(bytes), await sublevel.keys().all()]

  const range = await db.iterator({ gte: 'town/00005', lt: 'town/00010' }).all()
  const reversed = await db.keys({ reverse: true, gte: 'town/', limit: 2 }).all()
  const notOpen = await closed(db)
  return {
    range,
    reversed,
    then,
    count: (await db.keys().all()).length,
    sync: db.getSync('town/00007'),
    inSublevel,
    missing: await db.get('no such town') === undefined,
    notOpen,
    errors: new VarveError('', { code: 'X' }) instanceof Error
  }
}

/** Returns the error of an operation after close(); the database is opened again. */
async function closed(db) {
  await db.close()
  const code = await db.get('town/00007').then(() => 'answered', (error) => error.code)
  await db.open()
  return code
}
