/**
 * Which value counts. The order is the same everywhere:
 *
 *   flag > environment > env file > pipeline > defaults of the configuration > default
 */
import type { LoadedConfig, LoadedPipeline } from './config.ts'
import type { EnvFile, Variables } from './environment.ts'
import { lineOf } from './file.ts'
import { VERBS } from './pipeline.ts'
import { flagOf, hasVariable, nearest, readText, variableOf } from './settings.ts'
import type { AnyTable, Plain, SettingTable } from './settings.ts'

/** Where a value comes from. */
export interface Origin {
  from: 'flag' | 'environment' | 'env file' | 'pipeline' | 'defaults' | 'default'
  /** `--memory`, `SLUICE_MEMORY`, `/x/.env:3`, `/x/sluice.config.ts:7 pipelines.orders.memory`; empty of a default. */
  what: string
}

export interface Sources {
  /** As commander gives them: text, or true and false of switches. */
  flags: Readonly<Record<string, unknown>>
  env: Variables
  envFile: EnvFile | null
  config: LoadedConfig | null
  pipeline?: LoadedPipeline | null
}

export interface Effective<T> {
  /** Only what somebody set. */
  values: Partial<T>
  /** Of every setting of the table. */
  origins: Readonly<Record<string, Origin>>
}

/** @throws SluiceError USAGE for a flag or a variable that cannot be understood */
export function effective<T>(table: SettingTable<T>, sources: Sources): Effective<T> {
  const values: Record<string, Plain> = {}
  const origins: Record<string, Origin> = {}
  for (const [name, setting] of Object.entries(table as AnyTable)) {
    const flag = sources.flags[name]
    const variable = variableOf(name)
    const set = hasVariable(setting) ? sources.env[variable] : undefined
    if (flag !== undefined) {
      values[name] = typeof flag === 'string' ? readText(setting, flagOf(name), flag) : (flag as Plain)
      origins[name] = { from: 'flag', what: setting.flag === false ? 'arguments' : flagOf(name) }
    } else if (set !== undefined && set !== '') {
      values[name] = readText(setting, variable, set)
      const line = sources.envFile?.lines.get(variable)
      origins[name] = line === undefined ? { from: 'environment', what: variable } : { from: 'env file', what: `${sources.envFile?.path ?? ''}:${line} ${variable}` }
    } else origins[name] = fromConfig(name, setting, sources, values)
  }
  return { values: values as Partial<T>, origins }
}

function fromConfig(name: string, setting: AnyTable[string], { config, pipeline }: Sources, values: Record<string, Plain>): Origin {
  if (config === null || setting.lasting === false) return { from: 'default', what: '' }
  const own = pipeline?.members[name]
  // What belongs to one table or folder is never told by the defaults, whatever another verb means by the name.
  const shared = setting.of === 'run' ? config.defaults[name] : undefined
  const value = own ?? shared
  if (value === undefined) return { from: 'default', what: '' }
  values[name] = value
  const member = pipeline !== null && pipeline !== undefined && name === VERBS[pipeline.verb]?.source ? pipeline.verb : name
  const row = lineOf(config.path, member)
  const holder = own === undefined ? 'defaults' : (pipeline?.name ?? '')
  return { from: own === undefined ? 'defaults' : 'pipeline', what: `${config.path}${row === undefined ? '' : `:${row}`} ${holder}.${member}` }
}

/** Variables that look like settings and are none: `SLUICE_MEMROY`, with the one that was probably meant. */
export function misspelt(env: Variables, tables: readonly AnyTable[]): { name: string; meant: string }[] {
  const settings = tables.flatMap((table) => Object.entries(table).flatMap(([name, setting]) => (hasVariable(setting) ? [variableOf(name)] : [])))
  const names = [...settings, 'SLUICE_CONFIG', 'SLUICE_ENV_FILE'].map((name) => name.slice('SLUICE_'.length))
  return Object.keys(env).flatMap((name) => {
    const own = name.startsWith('SLUICE_') ? name.slice('SLUICE_'.length) : null
    if (own === null || names.includes(own)) return []
    const meant = nearest(own, names)
    return meant === null ? [] : [{ name, meant: `SLUICE_${meant}` }]
  })
}
