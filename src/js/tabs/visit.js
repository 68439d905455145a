// The times at which a page can be used. A page in the back/forward cache, or frozen, would keep its
// locks and files: it lets them go, and takes part again when it comes back.

/** Both before and after the other, in some browsers. */
const LEAVE = ['pagehide', 'freeze']
const RETURN = ['pageshow', 'resume']

/**
 * Returns a function that stops it. Does nothing in a worker.
 * @param {() => void} leave
 * @param {() => void} comeBack
 */
export function onVisit(leave, comeBack) {
  const targets = [globalThis, globalThis.document].filter((target) => target?.addEventListener !== undefined)
  const all = [...LEAVE.map((name) => /** @type {const} */ ([name, leave])), ...RETURN.map((name) => /** @type {const} */ ([name, comeBack]))]
  for (const target of targets) for (const [name, act] of all) target.addEventListener(name, act)
  return () => {
    for (const target of targets) for (const [name, act] of all) target.removeEventListener(name, act)
  }
}
