// The package in other runtimes: newer versions of Node, which have node:sqlite for the lock, Deno
// and Bun. Each runs the program of the package tests from the installed tarball; C++ LevelDB reads
// its directory; its lock excludes others and they exclude it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { Varve } from 'varve'
import { nodeCounts } from '../../pkg-scripts/lib/counts.mjs'
import { run } from '../../pkg-scripts/lib/run.mjs'
import { RUNTIMES, provideRuntime } from '../../pkg-scripts/lib/runtimes.mjs'
import { NoNpm, expectedAnswer, installedApp, runIn, tellSkipped } from '../package/lib.mjs'

const { ClassicLevel } = createRequire(import.meta.url)('classic-level')

/** Time limit for taking the lock of a killed process. */
const TAKE_OVER_MS = 200

/** @type {import('../package/lib.mjs').App} */
let app
let noNpm
let expected

before(async () => {
  try {
    app = installedApp()
  } catch (error) {
    if (!(error instanceof NoNpm)) throw error
    noNpm = tellSkipped(`the package cannot be packed and installed: ${error.message}`)
  }
  expected = await expectedAnswer()
})
after(() => app?.remove())

/** Opens and closes the database; returns 'open', or the code of the error. */
async function opening(db) {
  const code = await db.open().then(() => 'open', (error) => error.cause?.code ?? error.code)
  await db.close()
  return code
}

/** Starts hold.js in a runtime and waits until it has reported the result of opening. */
async function holder({ program, args }, directory) {
  const child = spawn(program, [...args, 'hold.js', directory], { cwd: app.directory, stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const [said] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended.then(([code]) => [`ended with ${code}`])])
  return {
    said,
    end() { child.stdin.end(); return ended },
    kill() { child.kill('SIGKILL'); return ended }
  }
}

for (const wanted of RUNTIMES) {
  describe(wanted.name, { concurrency: false }, () => {
    /** @type {import('../../pkg-scripts/lib/runtimes.mjs').Runtime} */
    let runtime

    before(async () => {
      runtime = await provideRuntime(wanted)
      if (runtime.why) tellSkipped(`NOTHING was tested in ${wanted.name}: ${runtime.why}`)
    })

    let directories = 0
    const inRuntime = (name, act) => test(name, (context) => {
      const why = noNpm ?? runtime.why
      return why ? context.skip(why) : act(app.path(`${wanted.name.replace(' ', '-')}-${directories++}`))
    })

    for (const script of ['node.js', 'node-inline.js']) {
      inRuntime(`${script} answers as here, and C++ LevelDB reads its directory`, async (directory) => {
        const { answer, locked } = JSON.parse(runIn(app, runtime.program, [...runtime.args, script, directory]))
        deepStrictEqual(answer, expected)
        strictEqual(locked, 'LEVEL_LOCKED')
        const db = new ClassicLevel(directory, { valueEncoding: 'json', createIfMissing: false })
        deepStrictEqual(await db.iterator({ gte: 'town/00005', lt: 'town/00010' }).all(), expected.range)
        await db.close()
      })
    }

    inRuntime('CommonJS by require()', async (directory) => {
      deepStrictEqual(JSON.parse(runIn(app, runtime.program, [...runtime.args, 'require.cjs', directory])).answer, expected)
    })

    inRuntime('its lock keeps out C++ LevelDB and this Node', async (directory) => {
      const held = await holder(runtime, directory)
      strictEqual(held.said, 'open')
      strictEqual(await opening(new ClassicLevel(directory)), 'LEVEL_LOCKED')
      strictEqual(await opening(new Varve(directory)), 'LEVEL_LOCKED')
      await held.end()
      strictEqual(await opening(new ClassicLevel(directory)), 'open')
      strictEqual(await opening(new Varve(directory)), 'open')
    })

    inRuntime('it is kept out by C++ LevelDB and by this Node', async (directory) => {
      for (const Level of [ClassicLevel, Varve]) {
        const db = new Level(directory)
        await db.open()
        strictEqual((await holder(runtime, directory)).said, 'LEVEL_LOCKED')
        await db.close()
      }
      const held = await holder(runtime, directory)
      strictEqual(held.said, 'open')
      await held.end()
    })

    inRuntime('a killed one loses neither its lock for long nor what it wrote', async (directory) => {
      for (const Level of [Varve, ClassicLevel]) {
        const held = await holder(runtime, directory)
        strictEqual(held.said, 'open')
        await held.kill()
        const start = performance.now()
        const db = new Level(directory)
        await db.open()
        const took = performance.now() - start
        ok(took < TAKE_OVER_MS, `${Level.name}: ${took} ms`)
        ok(Number(await db.get('holder')) > 0)
        await db.close()
      }
      strictEqual(await opening(new Varve(directory)), 'open')
    })
  })
}

// They wait more than they compute, so they run concurrently.
describe('tests/js/storage.test.mjs', { concurrency: true }, () => {
  for (const wanted of RUNTIMES.filter(({ name }) => name.startsWith('Node'))) {
    test(wanted.name, async (context) => {
      const { why, program } = await provideRuntime(wanted)
      if (why) return context.skip(why)
      // The test runner in the child must not report to this one.
      const env = { NODE_TEST_CONTEXT: undefined }
      const { ok: good, output } = await run(program, ['--test', '--test-reporter=spec', 'tests/js/storage.test.mjs'], { quiet: true, env })
      const { passed, failed } = nodeCounts(output)
      ok(good && failed === 0, output)
      ok(passed > 100, `${passed} tests`)
    })
  }
})
