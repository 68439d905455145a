// Gives a file to the user.

/** @param {string} name @param {string | Blob} content @param {string} [type] */
export function save(name, content, type = 'application/octet-stream') {
  const url = URL.createObjectURL(typeof content === 'string' ? new Blob([content], { type }) : content)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser has begun by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
