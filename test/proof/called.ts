/**
 * A command line, played by the functions that a program calls, in this process: for the runs after a death. It is another
 * process than the one that died, and saves the start of a command, which is half of it. Memory is what looking at tables
 * takes, so that the engine that one call leaves over fits the next one.
 */
import { CONVERT_SETTINGS } from '../../src/config/convert.ts'
import { LOAD_SETTINGS } from '../../src/config/load.ts'
import { SYNC_SETTINGS } from '../../src/config/sync.ts'
import { convert, load, sync } from '../../src/index.ts'
import type { ConvertOptions, ConvertResult, LoadOptions, LoadResult, SyncOptions, SyncResult } from '../../src/index.ts'

export const MEMORY = '512MB'

interface Results {
  load: LoadResult
  convert: ConvertResult
  sync: SyncResult
}
type Verb = keyof Results

const SETTINGS = { load: LOAD_SETTINGS, convert: CONVERT_SETTINGS, sync: SYNC_SETTINGS } as const

/** @param args of the command, flags as `--name value` · @throws as the function of the same name */
export async function called<V extends Verb>([verb, ...args]: readonly [V, ...string[]]): Promise<Results[V]> {
  const options = optionsOf(SETTINGS[verb], args)
  if (verb === 'load') return (await load({ ...(options as unknown as LoadOptions), memory: MEMORY })) as Results[V]
  if (verb === 'convert') return (await convert({ ...(options as unknown as ConvertOptions), memory: MEMORY })) as Results[V]
  const [from = '', to = ''] = options['paths'] as string[]
  return (await sync({ ...(options as unknown as SyncOptions), from, to })) as Results[V]
}

/** The same; what went wrong becomes the failure of a case. */
export async function calledWell<V extends Verb>(args: readonly [V, ...string[]], what: string): Promise<Results[V]> {
  const result = await called(args)
  if (result.exit !== 0) throw new Error(`${what} ended with ${result.exit}: ${JSON.stringify(result).slice(0, 800)}`)
  return result
}

function optionsOf(settings: object, args: readonly string[]): Record<string, unknown> {
  const kinds = settings as Readonly<Record<string, { kind: string } | undefined>>
  const paths: string[] = []
  const options: Record<string, unknown> = { paths }
  const words = [...args]
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '--json') continue
    if (word === '--from') paths.push(words.shift() ?? '')
    else if (!word.startsWith('-')) paths.push(word)
    else {
      const name = word === '-o' ? 'output' : word.slice(2).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
      const kind = name === 'dataDir' ? 'text' : kinds[name]?.kind
      if (kind === undefined) throw new Error(`there is no flag ${word}`)
      options[name] = kind === 'switch' ? true : kind === 'count' ? Number(words.shift()) : kind === 'paths' ? [words.shift()] : words.shift()
    }
  }
  return options
}
