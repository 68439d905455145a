// What tests and benchmarks need of the system: how to tell that it is there, and how to get it.
import { existsSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { environment } from './paths.mjs'
import { findProgram } from './run.mjs'

const onMac = process.platform === 'darwin'

/** The WebDriver of Chromium or Chrome; CHROMEDRIVER names another one. */
export const findChromedriver = () => findProgram(process.env.CHROMEDRIVER, 'chromedriver', 'chromium.chromedriver')

/** A Chromium or Chrome. Only to know that there is one: chromedriver finds it by itself. */
export const findChromium = () => findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable') ??
  findProgram('/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium')

const findCompiler = () => findProgram('c++', 'g++', 'clang++')

/** True when the C++ compiler finds this header, wherever the system keeps it. */
function hasHeader(name) {
  if (['/usr/include', '/usr/local/include', '/opt/homebrew/include'].some((folder) => existsSync(`${folder}/${name}`))) return true
  const compiler = findCompiler()
  if (!compiler) return false
  return spawnSync(compiler, ['-x', 'c++', '-E', '-'], { input: `#include <${name}>\n`, env: environment, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0
}

/**
 * @type {{ what: string, present: () => boolean, apt: string[], without: string, advice: () => string }[]}
 */
export const systemNeeds = [
  {
    what: 'a C++ compiler',
    present: () => findCompiler() !== undefined,
    apt: ['g++'],
    without: 'the comparisons with C++ LevelDB are skipped (and cargo may lack a linker)',
    advice: () => (onMac ? 'xcode-select --install' : 'apt-get install g++ (as root)')
  },
  {
    what: 'Chromium and chromedriver',
    present: () => findChromium() !== undefined && findChromedriver() !== undefined,
    apt: ['chromium', 'chromium-driver'],
    without: 'the tests in a browser are skipped',
    advice: () => (onMac ? 'brew install --cask google-chrome chromedriver' : 'Debian: apt-get install chromium chromium-driver (as root). Ubuntu: snap install chromium')
  },
  {
    what: 'LevelDB and Snappy for C++',
    present: () => hasHeader('leveldb/db.h') && hasHeader('snappy.h'),
    apt: ['libleveldb-dev', 'libsnappy-dev'],
    without: 'the comparisons with C++ LevelDB are skipped',
    advice: () => (onMac ? 'brew install leveldb snappy' : 'apt-get install libleveldb-dev libsnappy-dev (as root)')
  }
]
