// The engine's module, from beside this file as servers and bundlers see it: the build puts it into pkg/, where engine.wasm is.

/** @type {Promise<WebAssembly.Module> | undefined} */
let module

/** @returns {Promise<WebAssembly.Module>} compiled once a page or worker */
export function loadModule() {
  // A failed load may be tried again.
  module ??= load().catch((error) => { module = undefined; throw error })
  return module
}

async function load() {
  const copied = besideCopy(import.meta.url)
  const found = copied && await compile(copied).catch(() => undefined)
  // Vite and webpack look for an expression of exactly this form; others leave it to the browser.
  return found ?? compile(new URL('./engine.wasm', import.meta.url))
}

/**
 * Vite before version 8 has, in development, a copy of the scripts of packages, and not of what lies beside them.
 * @param {string} script
 */
function besideCopy(script) {
  const ours = script.replace(/\/\.vite\/deps\/[^/]*$/, '/varve/pkg/engine.wasm')
  return ours === script ? undefined : ours
}

/** @param {string | URL} url */
async function compile(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`)
  const streams = response.headers.get('content-type')?.startsWith('application/wasm')
  try {
    return await (streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()))
  } catch (/** @type {any} any: whatever was thrown */ cause) {
    throw new Error(`${url}: ${cause.message}`, { cause })
  }
}

/** Nothing here keeps memory from being transferred, and so values do not share any. */
export const makeSlab = undefined
