// Runs functions in dedicated workers, where alone files of OPFS can be opened.

/**
 * Runs a function in a new worker of a page, which ends after it. The function sees nothing of the
 * test but its arguments: the origin of the page, from which it can import, and `given`.
 *
 * @template T
 * @param {import('puppeteer-core').Page} page
 * @param {(origin: string, ...given: any[]) => Promise<T>} act
 * @param {...any} given
 * @returns {Promise<T>}
 */
export function inWorker(page, act, ...given) {
  return page.evaluate((source, given) => new Promise((resolve, reject) => {
    const script = `onmessage = async ({ data }) => {
      try { postMessage({ value: await (${source})(...data) }) }
      catch (error) { postMessage({ error: String(error?.stack ?? error) + (error?.cause ? ', caused by ' + error.cause.stack : '') }) }
    }`
    const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))
    const worker = new Worker(url, { type: 'module' })
    const end = (settle, value) => {
      worker.terminate()
      URL.revokeObjectURL(url)
      settle(value)
    }
    worker.onmessage = ({ data }) => ('error' in data ? end(reject, new Error(data.error)) : end(resolve, data.value))
    worker.onerror = ({ message }) => end(reject, new Error(message))
    worker.postMessage([location.origin, ...given])
  }), String(act), given)
}
