/** Finding `sluice.config.*` and importing it, with Node's own import: TypeScript is stripped, nothing is bundled. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { SluiceError } from '../core/errors.ts'
import type { Where } from '../core/errors.ts'

export const CONFIG_FILES = ['sluice.config.ts', 'sluice.config.mts', 'sluice.config.js', 'sluice.config.mjs'] as const

/**
 * The configuration file of a folder, or the one that is named.
 * @returns null when there is none and none was named
 * @throws SluiceError PATH_NOT_FOUND, or CONFIG_INVALID when a folder has several
 */
export function findConfig(named: string | undefined, folder: string): string | null {
  if (named !== undefined) {
    const path = resolve(folder, named)
    if (!existsSync(path)) throw new SluiceError('PATH_NOT_FOUND', `There is no configuration file ${path}.`, { where: { path }, hint: 'Check --config, or leave it out to use the sluice.config.ts of the working folder.' })
    if (!/\.[mc]?[jt]s$/.test(path) || statSync(path).isDirectory()) throw new SluiceError('CONFIG_INVALID', `${path} is no configuration: that is a file named .ts, .mts, .js or .mjs.`, { where: { path }, hint: 'Check --config.' })
    return path
  }
  const found = CONFIG_FILES.map((name) => join(folder, name)).filter((path) => existsSync(path))
  if (found.length > 1) throw new SluiceError('CONFIG_INVALID', `There are ${found.length} configuration files: ${found.join(', ')}.`, { hint: 'Keep one of them, or name the one that is meant with --config.' })
  return found[0] ?? null
}

/**
 * Imports a configuration file and returns its default export.
 * @throws SluiceError CONFIG_BROKEN with file, line, cause and next step
 */
export async function importConfig(path: string): Promise<unknown> {
  // `import { definePipeline } from 'sluice'` means the Sluice that runs, wherever it is installed.
  const own = new URL(import.meta.url.endsWith('.ts') ? '../index.ts' : './index.js', import.meta.url).href
  const hooks = registerHooks({ resolve: (specifier, context, next) => (specifier === 'sluice' ? { url: own, shortCircuit: true } : next(specifier, context)) })
  try {
    return await ofItsOwn(async () => {
      const module = (await import(pathToFileURL(path).href)) as Record<string, unknown>
      if (module['default'] === undefined) {
        throw new SluiceError('CONFIG_INVALID', `${path} has no default export.`, { where: { path }, hint: 'End it with: export default definePipeline({ name: …, load: …, into: … })' })
      }
      // It may be a promise, and is waited for with what returns it.
      return module['default']
    })
  } catch (thrown) {
    throw thrown instanceof SluiceError ? thrown : broken(path, thrown)
  } finally {
    hooks.deregister()
  }
}

/**
 * Runs code of the user's. What it tells the console goes to stderr, since stdout is for our document; what fails in it without anybody who waits
 * for that is its failure, and so is a promise that nobody will ever settle: Node would end the process with a code that is not ours.
 */
async function ofItsOwn<T>(work: () => Promise<T>): Promise<T> {
  const { log, info, debug, error } = console
  const { promise: failed, reject } = Promise.withResolvers<never>()
  const idle = (): void => reject(new Error('it awaits a promise that nothing will settle'))
  Object.assign(console, { log: error, info: error, debug: error })
  process.on('unhandledRejection', reject).on('uncaughtException', reject).once('beforeExit', idle)
  try {
    const done = await Promise.race([work(), failed])
    // Node tells of promises that nobody waits for behind those that somebody does.
    await Promise.race([turn(), failed])
    return done
  } finally {
    Object.assign(console, { log, info, debug })
    process.off('unhandledRejection', reject).off('uncaughtException', reject).off('beforeExit', idle)
  }
}

/** Why a file could not be imported, in words that lead somewhere. */
function broken(path: string, thrown: unknown): SluiceError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const code = 'code' in error ? String(error.code) : ''
  const place = placeOf(error.stack ?? '', path)
  const at = place.path === undefined ? path : `${place.path}${place.row === undefined ? '' : `:${place.row}`}`
  return new SluiceError('CONFIG_BROKEN', `${at} cannot be read: ${error.message.split('\n')[0] ?? ''}`, { where: { path, ...place }, hint: hintOf(path, code, error), cause: thrown })
}

/** The first line of the stack, or of the excerpt above it, that is in a file of the user's. */
function placeOf(stack: string, path: string): Where {
  for (const match of stack.matchAll(/(?:^|\(|at (?:async )?)(file:\/\/[^\s()]+?|\/[^\s()]+?):(\d+)(?::\d+)?\)?$/gm)) {
    const file = match[1]?.startsWith('file:') === true ? fileURLToPath(match[1].replace(/\?.*$/, '')) : (match[1] ?? '')
    if (file === path || (file.startsWith(`${dirname(path)}/`) && !file.includes('/node_modules/'))) return { path: file, row: Number(match[2]) }
  }
  return {}
}

function hintOf(path: string, code: string, error: Error): string {
  const commonJs = /Unexpected token 'export'|Cannot use import statement outside a module/.test(error.message)
  if (commonJs && !/\.m[tj]s$/.test(path)) {
    return `The nearest package.json says "type": "commonjs" (npm init writes it). Rename the file to ${path.replace(/\.([tj])s$/, '.m$1s')}, or set "type": "module".`
  }
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') return 'Node takes types away and translates nothing: no enum, no namespace, no parameter properties. Write it in plain JavaScript with types.'
  if (code === 'ERR_INVALID_TYPESCRIPT_SYNTAX' || error.name === 'SyntaxError') return 'Correct the syntax at this place; tsc --noEmit shows all of them.'
  if (code === 'ERR_MODULE_NOT_FOUND') return 'Install the package beside the configuration, or correct the import; imports of own files need their extension.'
  if (/node_modules/.test(path) && code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') return 'Node does not read TypeScript below node_modules: keep the configuration outside.'
  return 'The configuration is code and failed while it ran: correct it at this place.'
}

/** The only line of the file that has this member, counted from 1; undefined when there is none or more than one. */
export function lineOf(path: string, member: string): number | undefined {
  const lines = readFileSync(path, 'utf8').split('\n')
  const name = member.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const found = lines.flatMap((line, at) => (new RegExp(`(^|[\\s{,'"])${name}['"]?\\s*:`).test(line.replace(/\/\/.*$/, '')) ? [at + 1] : []))
  return found.length === 1 ? found[0] : undefined
}
