/** From the tables of settings to commander's options, and from what was typed to what counts. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { hideSecretsOf } from '../core/secret.ts'
import { effective } from '../config/effective.ts'
import type { Effective, Sources } from '../config/effective.ts'
import { loadEnvFile } from '../config/environment.ts'
import { GLOBAL_SETTINGS } from '../config/globals.ts'
import type { GlobalSettings } from '../config/globals.ts'
import { flagOf, variableOf } from '../config/settings.ts'
import type { AnyTable, SettingTable } from '../config/settings.ts'
import type { Globals } from './output.ts'

/** Adds a flag for every setting that has one. A switch also has its `--no-`, so that a flag can override a configuration. */
export function addSettings<T>(command: Command, table: SettingTable<T>): Command {
  for (const [name, setting] of Object.entries(table as AnyTable)) {
    if (setting.flag === false) continue
    const flag = flagOf(name)
    const text = setting.fallback === undefined ? setting.help : `${setting.help} (default: ${setting.fallback})`
    const option = new Option(`${setting.short === undefined ? '' : `${setting.short}, `}${setting.kind === 'switch' ? flag : `${flag} <${setting.value ?? 'value'}>`}`, text)
    if (setting.kind === 'target') option.argParser((value: string, before: string | string[] | undefined) => (before === undefined ? value : [before, value].flat()))
    command.addOption(setting.choices === undefined ? option : option.choices(setting.choices))
    if (setting.kind === 'switch' && setting.lasting !== false) command.addOption(new Option(flag.replace('--', '--no-')).hideHelp())
  }
  return command
}

/** What surrounds a command: variables, the configuration if there is one, and the settings of all commands. */
export interface Surroundings {
  sources: Omit<Sources, 'flags' | 'pipeline'>
  globals: Effective<GlobalSettings>
}

/**
 * Reads the env file and, if the command uses it, the configuration.
 * @throws SluiceError as loadEnvFile and readConfig
 */
export async function surroundingsOf(flags: Globals, usesConfig: boolean, env: NodeJS.ProcessEnv = process.env): Promise<Surroundings> {
  const envFile = loadEnvFile(flags.envFile ?? env['SLUICE_ENV_FILE'], process.cwd(), env)
  hideSecretsOf(env)
  const named = flags.config ?? (env[variableOf('config')] === '' ? undefined : env[variableOf('config')])
  const config = usesConfig ? await configOf(named) : null
  const sources = { env, envFile, config }
  return { sources, globals: effective(GLOBAL_SETTINGS, { ...sources, flags: flags as Readonly<Record<string, unknown>> }) }
}

async function configOf(named: string | undefined): Promise<Sources['config']> {
  const { findConfig } = await import('../config/file.ts')
  const path = findConfig(named, process.cwd())
  if (path === null) return null
  const { readConfig } = await import('../config/config.ts')
  return readConfig(path, process.cwd())
}
