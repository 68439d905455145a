// Bytes as JSON that gives them back: text if they are UTF-8, otherwise base64.

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @param {Uint8Array} bytes @returns {{ enc: 'utf8' | 'base64', v: string }} */
export function lossless(bytes) {
  try {
    return { enc: 'utf8', v: DECODER.decode(bytes) }
  } catch {
    return { enc: 'base64', v: base64(bytes) }
  }
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let binary = ''
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  return btoa(binary)
}
