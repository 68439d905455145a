// Answers a message: opens the database of that name, or one in memory if it is null, and tells an entry of
// it, or the code of the error.
export function answerWith(Varve) {
  const answer = async (port, name) => {
    try {
      const db = name === null ? new Varve(null, { storage: 'memory' }) : new Varve(name)
      await db.open()
      if (name === null) await db.put('a', 'in memory')
      port.postMessage(await db.get('a'))
      await db.close()
    } catch (error) {
      port.postMessage(error.cause?.code ?? error.code)
    }
  }
  globalThis.onconnect = ({ ports: [port] }) => { port.onmessage = ({ data }) => answer(port, data) }
  globalThis.onmessage = ({ data, ports: [port] }) => answer(port, data)
}
