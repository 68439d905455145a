// A shared or a service worker that opens a database by name, and answers with the error's code.
import { Varve } from '/pkg/browser.js'

const answer = async (port, name) => {
  try {
    const db = new Varve(name)
    await db.open()
    port.postMessage(await db.get('a'))
  } catch (error) {
    port.postMessage(error.cause?.code ?? error.code)
  }
}

globalThis.onconnect = ({ ports: [port] }) => { port.onmessage = ({ data }) => answer(port, data) }
globalThis.onmessage = ({ data, ports: [port] }) => answer(port, data)
