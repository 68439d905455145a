// C++ programs that use LevelDB: the other side of benchmarks and interoperability tests.
import { spawnSync } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { inRoot } from './paths.mjs'
import { ask, findProgram } from './run.mjs'

export const INSTALL_HINT = `C++ LevelDB is needed. Debian, Ubuntu: apt-get install g++ libleveldb-dev libsnappy-dev
macOS: xcode-select --install, and brew install leveldb snappy`

/** Homebrew's headers and libraries are not on the compiler's paths. */
function homebrewFlags() {
  if (process.platform !== 'darwin') return []
  return ['leveldb', 'snappy'].flatMap((name) => {
    const prefix = ask('brew', ['--prefix', name])
    return prefix ? [`-I${prefix}/include`, `-L${prefix}/lib`] : []
  })
}

const isNewer = (program, source) => {
  const built = statSync(program, { throwIfNoEntry: false })
  return built !== undefined && built.mtimeMs > statSync(source).mtimeMs
}

/**
 * Compiles one source in target/bench, unless it is compiled already.
 *
 * @param {string} source
 * @returns {{ program?: string, why?: string }} the program, or why there is none
 */
export function compileWithLeveldb(source) {
  const directory = inRoot('target', 'bench')
  const program = join(directory, basename(source, '.cc'))
  if (isNewer(program, source)) return { program }
  const compiler = findProgram('g++', 'c++', 'clang++')
  if (!compiler) return { why: `no C++ compiler. ${INSTALL_HINT}` }
  mkdirSync(directory, { recursive: true })
  const args = ['-O2', '-DNDEBUG', '-std=c++17', ...homebrewFlags(), source, '-lleveldb', '-lsnappy', '-lpthread', '-o', program]
  const { status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' })
  return status === 0 ? { program } : { why: `${basename(source)} does not compile. ${INSTALL_HINT}\n${stderr.split('\n').slice(0, 5).join('\n')}` }
}
