// The engine's module, from beside this file as servers and bundlers see it: the build puts it into pkg/, where engine.wasm is.

/** @type {Promise<WebAssembly.Module> | undefined} */
let module

/** @returns {Promise<WebAssembly.Module>} compiled once a page or worker */
export function loadModule() {
  // A failed load may be tried again.
  module ??= compile().catch((error) => { module = undefined; throw error })
  return module
}

async function compile() {
  // Vite and webpack look for an expression of exactly this form; others leave it to the browser.
  const response = await fetch(new URL('./engine.wasm', import.meta.url))
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${response.statusText}`)
  const streams = response.headers.get('content-type')?.startsWith('application/wasm')
  try {
    return await (streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()))
  } catch (cause) {
    throw new Error(`${response.url}: ${cause.message}`, { cause })
  }
}
