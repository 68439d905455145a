// Fetches and compiles a module, which the build puts next to the scripts in pkg/.

/**
 * Compiles a module once per page or worker.
 * @param {string} name
 * @param {() => { url: URL, script: string }} place called when the module is loaded, since a
 *   bundle that is not an ES module has no URL and may not need one
 * @returns {() => Promise<WebAssembly.Module>}
 */
export function fetchedOnce(name, place) {
  /** @type {Promise<WebAssembly.Module> | undefined} */
  let module
  // A failed load can be retried.
  return () => (module ??= load(name, place).catch((error) => { module = undefined; throw error }))
}

/** @param {string} name @param {() => { url: URL, script: string }} place */
async function load(name, place) {
  const { url, script } = place()
  const copied = besideCopy(name, script)
  const found = copied && await compileAt(copied).catch(() => undefined)
  return found ?? compileAt(url)
}

/**
 * In development, Vite before version 8 copies the scripts of packages but not the files beside
 * them, nor those of workers. Returns where the file is, if `script` is such a copy.
 * @param {string} name
 * @param {string} script
 */
export function besideCopy(name, script) {
  const ours = script.replace(/\/\.vite\/deps\/[^/]*$/, `/varve/pkg/${name}`)
  return ours === script ? undefined : ours
}

/**
 * In Firefox, a worker that is terminated while it compiles a stream keeps one of the process's few
 * threads for that; after some of them, compileStreaming never settles in any page or worker.
 */
const mayStream = () => !globalThis.navigator?.userAgent?.includes('Gecko/')

/**
 * Fetches and compiles the module at `url`.
 * @param {string | URL} url
 */
export async function compileAt(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`)
  const streams = mayStream() && response.headers.get('content-type')?.startsWith('application/wasm')
  try {
    return await (streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()))
  } catch (/** @type {any} any: whatever was thrown */ cause) {
    throw new Error(`${url}: ${cause.message}`, { cause })
  }
}
