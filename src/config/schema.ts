/** The schema of a configuration, made from the tables of settings: for checking, and as JSON Schema for editors. */
import { z } from 'zod'
import { shorten } from '../core/errors.ts'
import { SCALARS } from '../core/types.ts'
import { GLOBAL_SETTINGS } from './globals.ts'
import { LOAD_SETTINGS } from './load.ts'
import { VERBS } from './pipeline.ts'
import { nearest } from './settings.ts'
import type { AnyTable, Setting } from './settings.ts'

/** Address of the JSON Schema in the published package. */
export const SCHEMA_FILE = 'sluice.config.schema.json'

const PATTERNS = {
  size: [/^\d+(\.\d+)?\s*([kKMGT]i?)?B?$/, 'a size such as 512MB or 1GB'],
  time: [/^\d+(\.\d+)?\s*(ms|s|m|h|d)?$/, 'a time such as 30s, 10m or 2h'],
  limit: [/^\d+(\.\d+)?%?$/, 'a number of records, or a share such as 1%'],
} as const

function zodOf(setting: Setting): z.ZodType {
  const text = z.string().min(1)
  switch (setting.kind) {
    case 'switch':
      return z.boolean()
    case 'count':
      return z.int().min(1)
    case 'paths':
      return z.union([text, z.array(text).min(1)])
    case 'names':
      return z.union([text, z.array(text).min(1)])
    case 'columns':
      return z.union([text, z.record(text, z.string().regex(TYPE))])
    case 'size':
    case 'time':
    case 'limit': {
      const [pattern, expected] = PATTERNS[setting.kind]
      const written = z.string().regex(pattern, `expected ${expected}`)
      return setting.kind === 'limit' ? z.union([written, z.int().min(0)]) : written
    }
    case 'target':
      return z.union([text, z.array(text).min(1)])
    case 'text':
    case 'path':
      return setting.choices === undefined ? text : z.enum(setting.choices as [string, ...string[]])
  }
}

/** A type of a column: one of the names, or one with arguments (`decimal(12,2)`); what is in them is checked when it is read. */
const TYPE = new RegExp(`^(${SCALARS.join('|')}|[a-z_]+[(<].*[)>])$`)

function membersOf(table: AnyTable, wanted: (name: string, setting: Setting) => boolean): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(table)
      .filter(([name, setting]) => setting.lasting !== false && wanted(name, setting))
      .map(([name, setting]) => {
        const type = zodOf(setting).describe(setting.fallback === undefined ? setting.help : `${setting.help} (default: ${setting.fallback})`)
        return [name, setting.needed === true ? type : type.optional()]
      }),
  )
}

const NAME = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,62}$/, 'expected letters, digits, _ . or -, not beginning with a digit')

/** Of one pipeline of a verb. Its source stands in the member that is called like the verb. */
export function pipelineSchema(verb: string): z.ZodObject {
  const { table, source } = VERBS[verb] as { table: AnyTable; source: string }
  const { [source]: from, ...others } = membersOf(table, () => true)
  return z.strictObject({ name: NAME.describe('name of the pipeline').optional(), [verb]: from as z.ZodType, ...others })
}

export const defaultsSchema = z.strictObject({ ...membersOf(GLOBAL_SETTINGS, () => true), ...membersOf(LOAD_SETTINGS, (_name, setting) => setting.of === 'run') })

/** Members of the object that holds several pipelines. */
export const CONFIG_MEMBERS = ['pipelines', 'defaults']

/** docs/reference/sluice.config.schema.json */
export function jsonSchema(): object {
  const pipeline = z.union(Object.keys(VERBS).map(pipelineSchema))
  const config = z.strictObject({ pipelines: z.record(NAME, pipeline), defaults: defaultsSchema.optional() })
  const { $schema, ...rest } = z.toJSONSchema(z.union([config, pipeline]))
  return { $schema, title: 'Configuration of Sluice', description: 'What sluice.config.ts exports: one pipeline, or several with defaults.', ...rest }
}

/** One thing that is wrong: where in the object, and why. */
export interface Wrong {
  path: readonly PropertyKey[]
  message: string
}

/** Everything that is wrong with `value`, the most telling first; empty: nothing. */
export function faultsOf(schema: z.ZodObject, value: unknown): Wrong[] {
  const result = schema.safeParse(value)
  if (result.success) return []
  const known = Object.keys(schema.shape)
  const wrong = result.error.issues.flatMap((issue): Wrong[] => {
    if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: sentenceOf(issue, value) }]
    return issue.keys.map((key) => {
      const meant = nearest(key, known)
      return { path: [...issue.path, key], message: `is no setting${meant === null ? `; there are ${known.join(', ')}` : `; is ${meant} meant?`}` }
    })
  })
  // A member that is spelled wrongly is often also one that is missing: the spelling says more.
  return wrong.toSorted((a, b) => Number(b.message.startsWith('is no')) - Number(a.message.startsWith('is no')))
}

type Issue = z.core.$ZodIssue

function sentenceOf(issue: Issue, value: unknown): string {
  const found = issue.path.reduce<unknown>((at, name) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[name] : undefined), value)
  if (found === undefined) return 'is missing'
  // Of several ways to write it the one of the same kind says best what is wrong.
  const inner = issue.code === 'invalid_union' ? issue.errors.flat().find((other) => other.code !== 'invalid_type') : undefined
  if (inner !== undefined) return sentenceOf({ ...inner, path: issue.path }, value)
  if (issue.code === 'invalid_union') return `expected ${[...new Set(issue.errors.flat().map((other) => (other.code === 'invalid_type' ? WORDS[other.expected] ?? other.expected : 'something else')))].join(' or ')}, found ${kindOf(found)}`
  if (issue.code === 'invalid_type') return `expected ${WORDS[issue.expected] ?? issue.expected}, found ${kindOf(found)}`
  if (issue.code === 'invalid_value') return `expected one of ${issue.values.map(String).join(', ')}${foundText(found)}`
  if (issue.code === 'too_small') return typeof found === 'number' ? `expected a number from ${Number(issue.minimum)}` : 'is empty'
  if (issue.code === 'invalid_format' && issue.message.startsWith('Invalid')) return 'is not written as it must be'
  return issue.message.startsWith('expected') ? `${issue.message}${foundText(found)}` : issue.message
}

/** The value itself: a line of a configuration may hold several members. */
function foundText(value: unknown): string {
  return typeof value === 'string' ? `, found ${JSON.stringify(shorten(value))}` : ''
}

const WORDS: Readonly<Record<string, string>> = { string: 'text', int: 'a whole number', number: 'a whole number', boolean: 'true or false', array: 'a list', record: 'an object', object: 'an object' }

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return { string: 'text', number: 'a number', boolean: String(value), function: 'a function', object: 'an object' }[typeof value as string] ?? typeof value
}
