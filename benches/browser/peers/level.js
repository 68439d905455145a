// What the peers with abstract-level's methods share.

/** @param {any} db any: a database of abstract-level, with keys and values as bytes */
export async function level(db) {
  await db.open()
  return {
    put: (key, value, sync) => db.put(key, value, sync ? { sync } : undefined),
    batch: (operations) => db.batch(operations),
    get: (key) => db.get(key),
    async * pages() {
      const iterator = db.iterator()
      for (let page = await iterator.nextv(1000); page.length > 0; page = await iterator.nextv(1000)) yield page
      await iterator.close()
    },
    close: () => db.close()
  }
}
