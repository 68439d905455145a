// What the tabs of a database say to each other, and where. NAME is that of its lock.
//
//   lock NAME          held by the worker that has the files open, the owner; others wait in its queue
//   lock NAME#ID       held by a client or an owner as long as it lives (alive.js)
//
//   channel NAME       client -> all     { hello: SESSION, after: SESSION, client: ID, member: ID, protocol, readOnly, storage }
//                      owner  -> all     { owner: ID, protocol }
//   channel NAME#SESSION   of one client and its owner
//                      owner  -> client  { joined: ID, place }, { refused: reason }, { left: true }, { lost: true }, and what
//                                        session.js sends
//                      client -> owner   requests (messages.js)
//
// A message is repeated as often as necessary: an owner answers a second hello of a session like the
// first one.

/**
 * Changes with the messages of requests and answers (verbs.js, messages.js). Tabs of one protocol
 * work together, whatever their build; another waits until all of them are closed.
 */
export const PROTOCOL = 1

let made = 0

/** Returns the name of a lock or channel that nobody else has. @param {string} name */
export function newId(name) {
  return `${name}#${Math.random().toString(36).slice(2)}${Date.now().toString(36)}.${++made}`
}
