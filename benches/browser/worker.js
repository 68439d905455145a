// A database of the benchmark in a worker of the page.
import { begin, run } from './side.js'

onmessage = async ({ data }) => {
  try {
    postMessage({ result: data.begin ? await begin(...data.begin) : await run(data.run) })
  } catch (error) {
    postMessage({ error: error.stack })
  }
}
