// A list of notes that works without a network. All tabs show the same list: each watches the
// database and draws what was committed, by whichever tab.
import { Varve } from 'varve'

const db = new Varve('notes', { valueEncoding: 'json' })
const list = document.getElementById('list')
const status = document.getElementById('status')

/** Elements of the list by key. */
const shown = new Map()

function show(key, { text }) {
  const item = shown.get(key) ?? document.createElement('li')
  const remove = document.createElement('button')
  remove.textContent = 'Delete'
  remove.onclick = () => attempt(() => db.del(key))
  item.replaceChildren(text, remove)
  if (shown.has(key)) return
  // Keys are times, so the newest note is the last.
  shown.set(key, item)
  list.append(item)
}

function hide(key) {
  shown.get(key)?.remove()
  shown.delete(key)
}

async function showAll() {
  for (const key of [...shown.keys()]) hide(key)
  for await (const [key, note] of db.iterator()) show(key, note)
}

/** Draws every change from now on. */
async function follow() {
  for await (const item of db.watch()) {
    if (item.type === 'gap') await showAll()
    else for (const { type, key, value } of item.changes) type === 'put' ? show(key, value) : type === 'del' ? hide(key) : await showAll()
  }
}

/** Tells of a failure instead of losing it. What was under way when the tab with the files was closed is repeated. */
async function attempt(work) {
  try {
    await work().catch((error) => error.code === 'LEVEL_FENCED' ? work() : Promise.reject(error))
    status.textContent = ''
  } catch (error) {
    status.textContent = error.code === 'LEVEL_FULL' ? 'The storage is full: delete some notes.' : `${error.code}: ${error.message}`
  }
}

document.getElementById('form').onsubmit = (event) => {
  event.preventDefault()
  const input = document.getElementById('text')
  const key = `${new Date().toISOString()} ${Math.random().toString(36).slice(2, 6)}`
  const { value: text } = input
  attempt(() => db.put(key, { text }, { sync: true }))
  input.value = ''
}

document.getElementById('export').onclick = () => attempt(async () => {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(await new Response(db.export()).blob())
  link.download = 'notes.zip'
  link.click()
  URL.revokeObjectURL(link.href)
})

// A tab with a newer version of the database's protocol waits until this one is closed.
db.on('versionchange', () => db.close().then(() => location.reload()))
db.on('blocked', () => { status.textContent = 'Close the other tabs of this page: they run an older version.' })

attempt(async () => {
  await db.open()
  attempt(follow)
  await showAll()
})

if ('serviceWorker' in navigator) attempt(() => navigator.serviceWorker.register('service-worker.js', { type: 'module' }))
// Asks the browser not to delete the notes when space runs out; it may refuse.
navigator.storage?.persist?.()
