// The page and `varve inspect --json` say the same of each file of the shared corpus: codes, offsets and
// lengths. Without VARVE_LONG=1, of some of its folders.
import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, test } from 'node:test'
import { examine } from '../../src/js/cli/examine.js'
import { corpus, corpusFiles, noCorpus } from '../js/lib/corpus.mjs'
import { lacking } from './lib/browser.mjs'
import { inspectorIn } from './lib/inspector.mjs'

const SAMPLE = /^leveldb\/(block-flip|manifest-cut|repair-log-damage|levels-snappy)$|^chromium\/indexeddb$/
const folders = noCorpus ? [] : [...new Set(corpusFiles(/./).map(dirname))].filter((folder) => folder !== corpus)
  .filter((folder) => process.env.VARVE_LONG !== undefined || SAMPLE.test(relative(corpus, folder)))

/** A finding on one line. @param {string | undefined} file @param {import('varve/inspect').Finding} finding */
const lineOf = (file, { code, severity, offset, length }) => `${file ?? '.'} ${code} ${severity} ${offset}+${length}`

describe('the page and the command line agree', { skip: noCorpus || lacking('chromium') }, () => {
  const rig = inspectorIn('chromium')

  for (const folder of folders) {
    test(relative(corpus, folder), async () => {
      const names = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile())
      const told = await examine('corpus', names.map((name) => ({ name, path: join(folder, name), size: statSync(join(folder, name)).size })))
      const expected = told.files.flatMap(({ name, findings }) => findings.map((finding) => lineOf(name, finding)))

      const inspector = await rig.open()
      await inspector.give(...names.map((name) => join(folder, name)))
      await inspector.until('main', /\d files? ·|of \d|[Nn]o findings|finding|hex|bytes/)
      const report = await inspector.page.evaluate(async () => {
        const { model } = /** @type {any} any: the page's own */ (document.querySelector('inspector-app'))
        while (model.files.some((/** @type {any} any: an open file */ { detected, size, status }) => detected === undefined && size > 0 && status !== 'failed')) await new Promise((resolve) => setTimeout(resolve, 20))
        if (!await model.work.examine()) throw new Error('the examination ended')
        const files = model.files.map((/** @type {any} any: as above */ { name, findings, sha256 }) => ({ name, findings, sha256 }))
        const whole = model.folders.flatMap((/** @type {any} any: a folder */ { map }) => map?.findings.filter((/** @type {any} any: a finding */ { file }) => file === undefined || map.files.some((/** @type {any} any: a file */ each) => each.name === file && each.role === 'missing')) ?? [])
        return { files, whole }
      })
      const found = [...report.files.flatMap((/** @type {any} any: as above */ { name, findings }) => findings.map((/** @type {any} any: as above */ finding) => lineOf(name, finding))), ...report.whole.map((/** @type {any} any: as above */ finding) => lineOf(finding.file, finding))]
      assert.deepEqual(found.sort(), expected.sort())
      for (const { name, sha256 } of report.files) assert.equal(sha256 ?? null, told.files.find((each) => each.name === name)?.sha256 ?? null, name)
      await inspector.check({ axe: false })
      await inspector.page.close()
    })
  }
})
