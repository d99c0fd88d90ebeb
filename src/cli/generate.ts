/** `sluice generate`: files to load, and the numbers that loading them must give. */
import { dirname, join, resolve } from 'node:path'
import { Command, Option } from 'commander'
import { SluiceError } from '../core/errors.ts'
import { localFs } from '../storage/local.ts'
import { createPlainFile, makePlainFolder } from '../storage/plain.ts'
import { MADE_FORMATS } from './frames.ts'
import type { MadeFormat } from './frames.ts'
import { number, plural } from './format.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'
import { RecordMaker } from './records.ts'
import type { Expected } from './records.ts'
import { SAMPLES, SAMPLE_MAKERS } from './samples.ts'
import type { SampleName } from './samples.ts'

interface GenerateOptions {
  files: string
  records: string
  dup: string
  bad: string
  seed: string
  format: MadeFormat
  like?: SampleName
  output: string
  /** Flags that were given and say how made-up records are laid in files. */
  given: readonly string[]
}

/** A sample says itself which files it has and which of its records repeat others. */
const MADE_ONLY = ['files', 'dup', 'bad', 'format']

export function generateCommand(run: Run): Command {
  return new Command('generate')
    .description('write files of made-up records, and tell what loading them must give')
    .option('--files <n>', 'how many files', '10')
    .option('--records <n>', 'records per file', '1000')
    .addOption(new Option('--format <format>', 'documents, lines or CSV; the same seed gives the same records in each').choices(MADE_FORMATS).default('json'))
    .option('--dup <share>', 'share of records that repeat id and ts of another, such as 5%', '5%')
    .option('--bad <share>', 'share of records without a key, such as 0.1%', '0')
    .option('--seed <n>', 'the same seed gives the same bytes', '1')
    .addOption(new Option('--like <what>', 'data in the shape of the examples instead: products as CSV, or events with their organizations as JSON').choices(SAMPLES))
    .option('-o, --output <dir>', 'folder of the files; files of the same names are overwritten, others are left alone', 'in')
    .action((options: GenerateOptions, command: Command) => {
      const given = MADE_ONLY.filter((name) => command.getOptionValueSource(name) === 'cli')
      return run(options.like === undefined ? generate : generateLike)({ ...options, given })
    })
}

async function generate(output: Output, options: GenerateOptions): Promise<number> {
  const files = whole('--files', options.files, 1_000_000)
  const records = whole('--records', options.records, 100_000_000)
  const seed = whole('--seed', options.seed, 2 ** 32 - 1)
  const dup = share('--dup', options.dup)
  const bad = share('--bad', options.bad)
  if (dup + bad > 1) throw new SluiceError('USAGE', `--dup ${options.dup} and --bad ${options.bad} are more than all records.`)
  const folder = resolve(options.output)
  const before = await localFs.list(folder)
  const expected = writeFiles(folder, { files, records, dup, bad, seed, format: options.format })
  const own = new Set(Array.from({ length: files }, (_, i) => fileName(i, files, options.format)))
  const others = (before ?? []).filter((entry) => !own.has(entry.name)).length
  if (others > 0) output.note(`${options.output} also holds ${plural(others, 'other entry', 'other entries')}, left as they were: loading the folder loads them too.`)
  output.document({ schema: 'sluice.generate/1', folder, seed, format: options.format, ...expected, others })
  output.result(
    `${plural(expected.files, 'file')} in ${options.output}: ${number(expected.records)} records = ${number(expected.keys)} keys + ${number(expected.duplicates)} duplicates + ${number(expected.bad)} bad`,
  )
  output.note(`next:  sluice load ${options.output} --into events --key id,ts`)
  return 0
}

async function generateLike(output: Output, { like = 'products', given, ...options }: GenerateOptions): Promise<number> {
  if (given.length > 0) throw new SluiceError('USAGE', `--like ${like} and ${given.map((name) => `--${name}`).join(', ')} do not go together.`, { hint: 'A sample is told by --records and --seed alone.' })
  const records = whole('--records', options.records, 10_000_000)
  const seed = whole('--seed', options.seed, 2 ** 32 - 1)
  if (records === 0) throw new SluiceError('USAGE', '--records 0: a sample has at least one record.')
  const folder = resolve(options.output)
  const files = SAMPLE_MAKERS[like](records, seed)
  for (const { file, text } of files) {
    makePlainFolder(dirname(join(folder, file)))
    const plain = createPlainFile(join(folder, file))
    try {
      for (const piece of text()) plain.write(Buffer.from(piece))
    } finally {
      plain.close()
    }
  }
  output.document({ schema: 'sluice.generate/1', folder, seed, like, files: files.map(({ file, records: all, keys }) => ({ file, records: all, keys })) })
  for (const { file, records: all, keys } of files) output.result(`${join(options.output, file)}: ${number(all)} records = ${number(keys)} keys + ${number(all - keys)} that repeat one`)
  return 0
}

/** Names that sort in the order in which the files were made. */
export function fileName(index: number, files: number, format: MadeFormat): string {
  return `events-${String(index + 1).padStart(String(files).length, '0')}.${format}`
}

/** @param wanted `dup` and `bad` are shares between 0 and 1 */
export function writeFiles(folder: string, wanted: { files: number; records: number; dup: number; bad: number; seed: number; format?: MadeFormat }): Expected {
  const format = wanted.format ?? 'json'
  const total = wanted.files * wanted.records
  const maker = new RecordMaker(wanted.seed, total, Math.round(total * wanted.dup), Math.round(total * wanted.bad), format)
  makePlainFolder(folder)
  for (let i = 0; i < wanted.files; i++) {
    const file = createPlainFile(join(folder, fileName(i, wanted.files, format)))
    try {
      maker.file(wanted.records, file.write)
    } finally {
      file.close()
    }
  }
  return maker.expected
}

function whole(flag: string, text: string, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= most) || (value === 0 && flag !== '--seed' && flag !== '--records')) {
    throw new SluiceError('USAGE', `${flag} ${text} is not a whole number from ${flag === '--files' ? 1 : 0} to ${number(most)}.`)
  }
  return value
}

function share(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text)
  const value = match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1)
  if (!(value <= 1)) throw new SluiceError('USAGE', `${flag} ${text} is not a share: write 5% or 0.05.`)
  return value
}
