/** A configuration that was read: checked, named, with every path made absolute. */
import { dirname } from 'node:path'
import { define } from '../core/definition.ts'
import { SluiceError } from '../core/errors.ts'
import { findConfig, importConfig, lineOf } from './file.ts'
import { readModels } from '../models/files.ts'
import { GLOBAL_SETTINGS } from './globals.ts'
import { LOAD_SETTINGS } from './load.ts'
import { VERBS } from './pipeline.ts'
import { nearest, readMember } from './settings.ts'
import type { AnyTable, Plain } from './settings.ts'

export interface LoadedPipeline {
  name: string
  /** `load`, `convert`, `sync` */
  verb: string
  /** Members in the form of flags, by the names of settings; paths are absolute. */
  members: Readonly<Record<string, Plain>>
}

export interface LoadedConfig {
  path: string
  pipelines: ReadonlyMap<string, LoadedPipeline>
  defaults: Readonly<Record<string, Plain>>
}

/**
 * Reads the configuration of a folder, or the one that is named.
 * @returns null when there is none
 * @throws SluiceError PATH_NOT_FOUND, CONFIG_BROKEN, CONFIG_INVALID, DEFINITION_INVALID
 */
export async function readConfig(named: string | undefined, folder: string): Promise<LoadedConfig | null> {
  const path = findConfig(named, folder)
  return path === null ? null : checkConfig(path, await importConfig(path))
}

/** Exported for tests of what a configuration may hold. */
export async function checkConfig(path: string, exported: unknown): Promise<LoadedConfig> {
  const { CONFIG_MEMBERS, defaultsSchema, faultsOf } = await import('./schema.ts')
  if (!isObject(exported)) throw invalid(path, [], `the default export is ${typeof exported === 'function' ? 'a function' : 'no object'}`)
  const several = 'pipelines' in exported || 'defaults' in exported
  const pipelines = new Map<string, LoadedPipeline>()
  if (!several) {
    const one = await checkPipeline(path, [], exported)
    if (one.name === '') throw invalid(path, ['name'], 'is missing: a pipeline that stands alone needs a name')
    return { path, pipelines: new Map([[one.name, one]]), defaults: {} }
  }
  for (const member of Object.keys(exported)) {
    const meant = nearest(member, CONFIG_MEMBERS)
    if (!CONFIG_MEMBERS.includes(member)) throw invalid(path, [member], `is no member beside pipelines and defaults${meant === null ? '' : `; is ${meant} meant?`}`)
  }
  const { pipelines: named = {}, defaults = {} } = exported
  if (!isObject(named)) throw invalid(path, ['pipelines'], 'expected an object of pipelines by name')
  for (const [name, pipeline] of Object.entries(named)) {
    if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,62}$/.test(name)) throw invalid(path, ['pipelines', name], 'is no name: letters, digits, _ . or -, not beginning with a digit')
    const loaded = await checkPipeline(path, ['pipelines', name], pipeline)
    if (loaded.name !== '' && loaded.name !== name) throw invalid(path, ['pipelines', name, 'name'], `differs from ${name}, under which it stands`)
    pipelines.set(name, { ...loaded, name })
  }
  const [wrong] = faultsOf(defaultsSchema, defaults)
  if (wrong !== undefined) throw invalid(path, ['defaults', ...wrong.path], wrong.message)
  return { path, pipelines, defaults: plain(defaults as Record<string, unknown>, { ...GLOBAL_SETTINGS, ...LOAD_SETTINGS }, dirname(path)) }
}

async function checkPipeline(path: string, at: readonly string[], value: unknown): Promise<LoadedPipeline> {
  const { faultsOf, pipelineSchema } = await import('./schema.ts')
  if (!isObject(value)) throw invalid(path, at, 'expected a pipeline, which is an object')
  const verbs = Object.keys(VERBS)
  const own = verbs.filter((verb) => value[verb] !== undefined)
  const [verb] = own
  if (verb === undefined || own.length > 1) {
    const close = Object.keys(value).find((member) => nearest(member, verbs) !== null && !verbs.includes(member))
    const meant = close === undefined || verb !== undefined ? '' : `; is ${close} meant as ${nearest(close, verbs) ?? ''}?`
    throw invalid(path, at, verb === undefined ? `says not what it does: it needs one of ${verbs.join(', ')}${meant}` : `has ${own.join(' and ')}: a pipeline does one thing`)
  }
  const [wrong] = faultsOf(pipelineSchema(verb), value)
  if (wrong !== undefined) throw invalid(path, [...at, ...wrong.path], wrong.message)
  const { name, [verb]: source, ...members } = value
  const description = VERBS[verb] as { table: AnyTable; source: string }
  const loaded = { name: typeof name === 'string' ? name : '', verb, members: plain({ ...members, [description.source]: source }, description.table, dirname(path)) }
  if (verb === 'load') checkDefinition(path, at, loaded.members)
  // Headers that say nothing, and models that wait for one another, are found here and not when the first file arrives.
  if (Array.isArray(loaded.members['models'])) await readModels(loaded.members['models'])
  return loaded
}

/** Mode, key, keep and columns must make a table: said when the configuration is read, not when the first file arrives. */
function checkDefinition(path: string, at: readonly string[], members: Readonly<Record<string, Plain>>): void {
  try {
    define(String(members['into']), members)
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown
    throw new SluiceError(thrown.code, `${path}${at.length === 0 ? '' : `, ${at.join('.')}`}: ${thrown.message}`, { where: { path }, hint: thrown.hint, cause: thrown })
  }
}

function plain(values: Readonly<Record<string, unknown>>, table: AnyTable, folder: string): Record<string, Plain> {
  const known = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(known.map(([name, value]) => [name, readMember(table[name] as AnyTable[string], value, folder)]))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(path: string, at: readonly PropertyKey[], message: string): SluiceError {
  const member = at.length === 0 ? undefined : String(at.at(-1))
  const row = member === undefined ? undefined : lineOf(path, member)
  const place = at.length === 0 ? `${path}:` : `${path}${row === undefined ? '' : `:${row}`}: ${at.map(String).join('.')}`
  return new SluiceError('CONFIG_INVALID', `${place} ${message}${message.endsWith('?') ? '' : '.'}`, { where: { path, ...(row === undefined ? {} : { row }) } })
}
