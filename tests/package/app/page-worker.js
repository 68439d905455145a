// The package in a dedicated worker, created as Vite and webpack require.
const worker = new Worker(new URL('./page.js', import.meta.url), { type: 'module' })
worker.onerror = (event) => fetch('/result', { method: 'POST', body: JSON.stringify({ error: `worker: ${event.message}` }) })
