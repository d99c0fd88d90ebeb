/** Which pipeline a command runs: a word after the verb, or --pipeline. */
import { existsSync } from 'node:fs'
import type { LoadedConfig, LoadedPipeline } from '../config/config.ts'
import { nearest } from '../config/settings.ts'
import { SluiceError } from '../core/errors.ts'

export interface Choice {
  /** Null: the command line says everything itself. */
  pipeline: LoadedPipeline | null
  /** Words that are paths; none: those of the pipeline. */
  paths: string[]
}

/**
 * A word is a pipeline if the configuration names it and no such path exists. Paths beside a pipeline stand in for its own.
 * Without words the only pipeline of the verb is meant.
 * @param verb `load`, `convert`, `sync`
 * @throws SluiceError USAGE for a word that is both, for several pipelines, for one of another verb; NOT_FOUND
 */
export function choosePipeline(verb: string, words: readonly string[], named: string | undefined, config: LoadedConfig | null): Choice {
  if (named !== undefined) return { pipeline: ofVerb(verb, find(named, config)), paths: [...words] }
  const meant = words.filter((word) => config?.pipelines.has(word) === true)
  const both = meant.find((word) => existsSync(word))
  if (both !== undefined) throw new SluiceError('USAGE', `${both} is a pipeline of ${config?.path ?? ''} and a path.`, { hint: `Write --pipeline ${both} for the pipeline, ./${both} for the path.` })
  const [name, second] = meant
  if (second !== undefined) throw new SluiceError('USAGE', `${meant.join(' and ')} are pipelines; one is run at a time.`, { hint: `sluice ${verb} ${name ?? ''} && sluice ${verb} ${second}` })
  if (name !== undefined) return { pipeline: ofVerb(verb, find(name, config)), paths: words.filter((word) => word !== name) }
  if (words.length > 0 || config === null) return { pipeline: null, paths: [...words] }
  const all = [...config.pipelines.values()].filter((pipeline) => pipeline.verb === verb)
  const [only] = all
  if (all.length > 1) throw new SluiceError('USAGE', `The configuration has ${all.length} pipelines to ${verb}: ${all.map((pipeline) => pipeline.name).join(', ')}.`, { hint: `Name one: sluice ${verb} ${only?.name ?? ''}` })
  return { pipeline: only ?? null, paths: [] }
}

/** The hint for words that are no paths either: perhaps a pipeline was meant. Nothing for paths. */
export function noPipeline(words: readonly string[], config: LoadedConfig | null): { hint?: string } {
  const word = words.find((one) => !existsSync(one) && /^[\w.-]+$/.test(one))
  if (word === undefined) return {}
  if (config === null) return { hint: `There is nothing named ${word} here, and no sluice.config.ts whose pipeline it might be: see sluice load --help.` }
  const close = nearest(word, config.pipelines.keys())
  return { hint: `${config.path} has no pipeline ${word}${close === null ? '' : `; is ${close} meant?`}` }
}

function find(name: string, config: LoadedConfig | null): LoadedPipeline {
  if (config === null) throw new SluiceError('NOT_FOUND', `There is no pipeline ${name}: there is no configuration here.`, { hint: 'Make a sluice.config.ts in the working folder, or name one with --config.' })
  const pipeline = config.pipelines.get(name)
  if (pipeline !== undefined) return pipeline
  const close = nearest(name, config.pipelines.keys())
  throw new SluiceError('NOT_FOUND', `${config.path} has no pipeline ${name}${close === null ? `; it has ${[...config.pipelines.keys()].join(', ') || 'none'}` : `; is ${close} meant?`}.`, { where: { path: config.path }, hint: 'sluice config show lists what there is.' })
}

function ofVerb(verb: string, pipeline: LoadedPipeline): LoadedPipeline {
  if (pipeline.verb === verb) return pipeline
  throw new SluiceError('USAGE', `${pipeline.name} is a pipeline to ${pipeline.verb}.`, { hint: `sluice ${pipeline.verb} ${pipeline.name}` })
}
