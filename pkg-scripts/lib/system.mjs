// System programs and libraries for builds, tests and benchmarks: how to find and install them.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { environment } from './paths.mjs'
import { findProgram } from './run.mjs'

const onMac = process.platform === 'darwin'

/** The WebDriver of Chromium or Chrome; set CHROMEDRIVER to use another one. */
export const findChromedriver = () => findProgram(process.env.CHROMEDRIVER, 'chromedriver', 'chromium.chromedriver')

/** A Chromium or Chrome, to check that one exists: chromedriver finds it itself. */
export const findChromium = () => findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium')

export const findFirefox = () => findProgram('firefox-esr', 'firefox', '/Applications/Firefox.app/Contents/MacOS/firefox')

export const findCompiler = () => findProgram('c++', 'g++', 'clang++')

/** Whether the C++ compiler finds this header; checks the usual folders first, which is faster. */
function hasHeader(name) {
  if (['/usr/include', '/usr/local/include', '/opt/homebrew/include'].some((folder) => existsSync(`${folder}/${name}`))) return true
  const compiler = findCompiler()
  if (!compiler) return false
  const { status } = spawnSync(compiler, ['-x', 'c++', '-E', '-'], { input: `#include <${name}>\n`, env: environment, stdio: ['pipe', 'ignore', 'ignore'] })
  return status === 0
}

/**
 * @typedef {{ what: string, present: () => boolean, apt: string[], without?: string, advice: () => string }} Need
 */

/** @type {Need[]} */
export const linkerNeeds = [
  {
    what: 'a C compiler, whose linker cargo uses',
    present: () => findProgram('cc') !== undefined,
    apt: ['gcc', 'libc6-dev'],
    advice: () => (onMac ? 'Run: xcode-select --install' : 'As root: apt-get install gcc libc6-dev')
  }
]

/** @type {Need[]} */
export const systemNeeds = [
  {
    what: 'Chromium and chromedriver',
    present: () => findChromium() !== undefined && findChromedriver() !== undefined,
    apt: ['chromium', 'chromium-driver'],
    without: 'the tests in a browser are skipped',
    advice: () => (onMac
      ? 'Run: brew install --cask google-chrome chromedriver'
      : 'Debian, as root: apt-get install chromium chromium-driver. Ubuntu: snap install chromium')
  },
  {
    what: 'Firefox',
    present: () => findFirefox() !== undefined,
    apt: ['firefox-esr'],
    without: 'the tests in Firefox are skipped',
    advice: () => (onMac ? 'Run: brew install --cask firefox' : 'Debian, as root: apt-get install firefox-esr. Ubuntu: snap install firefox')
  },
  {
    what: 'a C++ compiler with LevelDB and Snappy',
    present: () => findCompiler() !== undefined && hasHeader('leveldb/db.h') && hasHeader('snappy.h'),
    apt: ['g++', 'libleveldb-dev', 'libsnappy-dev'],
    without: 'the comparisons with C++ LevelDB are skipped',
    advice: () => (onMac
      ? 'Run: xcode-select --install, and brew install leveldb snappy'
      : 'As root: apt-get install g++ libleveldb-dev libsnappy-dev')
  }
]
