// Keeps everything the page needs, so that it opens without a network.
const CACHE = 'notes-1'
const OWN = ['./index.html', './app.js']

async function fill() {
  const cache = await caches.open(CACHE)
  const files = await (await fetch('./varve/precache.json')).json()
  await cache.addAll([...OWN, ...files.map((name) => `./varve/${name}`)])
}

/** From the network, else from the cache. */
async function answer(request) {
  try {
    const response = await fetch(request)
    if (response.ok) (await caches.open(CACHE)).put(request, response.clone())
    return response
  } catch (error) {
    const kept = await caches.match(request.mode === 'navigate' ? './index.html' : request, { ignoreSearch: true })
    if (kept === undefined) throw error
    return kept
  }
}

self.addEventListener('install', (event) => event.waitUntil(fill()))
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', (event) => {
  if (event.request.method === 'GET' && new URL(event.request.url).origin === self.location.origin) event.respondWith(answer(event.request))
})
