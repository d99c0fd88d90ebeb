/**
 * Which failpoints a sweep must reach. All names are read from the source, so that a new one cannot be forgotten; what an
 * undisturbed load does not pass is listed here with its reason.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('../../src', import.meta.url))
const NAME = /'((?:folder|spool|engine|stage|delta|database|sqlite|models|ledger)\.[a-z.-]+)'/g

/** Not passed by a load that nothing disturbs. */
const UNDISTURBED: Readonly<Record<string, string>> = {
  'ledger.beat': 'only loads of more than five seconds beat (on a slow machine the scenes do)',
  'ledger.recover': 'after a death (the run after each kill passes it)',
  'ledger.release': 'after a failure or a stop',
  'ledger.close': 'after a death',
  'ledger.split': 'after the death of a worker process (test/e2e/poison.test.ts dies there)',
  'ledger.sweep': 'after a death',
  'ledger.adopt': 'after the loss of a ledger',
  'spool.sweep': 'after a death',
  'engine.temp': 'after the death of a worker process (test/e2e/poison.test.ts dies there), or behind one that spilled',
  'stage.falsified': 'only when a test falsifies rows',
  'stage.again': 'only when inferred types turn out too narrow',
  'delta.discard': 'after a failed attempt',
  'sqlite.rollback': 'after a death',
  'ledger.rollback': 'after a death while the file was made',
  'database.ask': 'only after an answer that was lost (connectors/postgres/errors.live.ts loses it)',
  'database.models': 'a refresh of models without a load (test/contract/models.ts passes it)',
  'database.late': 'only for arrivals out of their order (test/contract/target-late.ts passes it)',
  'database.rejects': 'only under keep error (test/contract/target-rejects.ts passes it)',
  'database.fill': 'only where a database takes a whole batch in one step (connectors/duckdb/crash.test.ts dies there)',
  'database.refused': 'only where rows are refused, and the batch goes on without them (PostgreSQL)',
  'database.search': 'only where rows are refused, see above',
  'database.promote': 'only where rows are refused, see above',
  'database.trial': 'only where a database without savepoints refuses rows (connectors/duckdb)',
  'database.tamper': 'only when a test falsifies rows',
  'delta.model.discard': 'after a refresh that failed',
  'models.rollback': 'after a model that failed (test/contract/models-faults.ts passes it)',
  'models.drop': 'when the definition of a model changed (test/contract/models.ts passes it)',
  'models.ls': 'a command, and no failpoint',
  'models.schema': 'only in PostgreSQL',
  'models.function': 'only in PostgreSQL',
  'models.extension': 'only in PostgreSQL',
  'models.settle': 'only where a database needs statistics of temporary tables',
  'sqlite.format': 'only for a file of the format before (connectors/sqlite/delta.test.ts dies there)',
  'database.delta-own': 'only with --delta (connectors/sqlite/delta.test.ts dies there)',
  'database.delta-table': 'only with --delta, see above',
  'database.delta-run': 'only with --delta, see above',
  'database.delta-empty': 'only with --delta, see above',
  'database.delta-leave': 'only with --delta, see above',
  'database.delta-fill': 'only with --delta, see above',
  'delta.fold.tidy': 'after a checkpoint that failed, or a second one',
}

/** Passed only where there is a key, or only by upserts. */
const KEYED = ['stage.losers', 'delta.losers', 'database.losers', 'database.decide', 'database.forget', 'database.update', 'database.index']
const UPSERT = ['delta.rewrite', 'delta.adopt.write', 'delta.partition.make', 'delta.adopt.link', 'database.adopt', 'database.adopted']

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? sources(join(folder, entry.name)) : entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts') ? [join(folder, entry.name)] : [],
  )
}

/** Passed only where all rows leave, and where rows of before stay. */
const REPLACE = ['database.replace']
const KEPT = ['database.decide', 'database.update', 'database.forget']

/** Names without `.before` and `.after`. */
export function expectedPoints(mode: string, target: string): Set<string> {
  const names = new Set<string>()
  for (const path of sources(SOURCE)) {
    // ledger.db and what lies beside it are files.
    for (const match of readFileSync(path, 'utf8').matchAll(NAME)) if (!match[1]?.startsWith('ledger.db')) names.add(baseName(match[1] ?? ''))
  }
  const other = target === 'delta' ? ['database.', 'sqlite.', 'models.'] : ['delta.']
  return new Set(
    [...names].filter(
      (name) =>
        !(name in UNDISTURBED) && !other.some((room) => name.startsWith(room)) && !(mode === 'append' && KEYED.includes(name)) && !(mode !== 'upsert' && (UPSERT.includes(name) || /^(delta\.model|models)\./.test(name))) &&
        !(mode === 'replace' ? KEPT : REPLACE).includes(name),
    ),
  )
}

/** Some steps are made of several calls: `delta.fold` stands for `delta.fold.write`, `delta.fold.rename` and so on. */
export function isPartOf(point: string, name: string): boolean {
  return point === name || point.startsWith(`${name}.`)
}

export function baseName(point: string): string {
  return point.replace(/\.(before|after)$/, '')
}

/** Of DuckDB's steps and those that it shares with others: not passed by an upsert that nothing disturbs. */
const UNDISTURBED_DUCKDB: Readonly<Record<string, string>> = {
  'duckdb.loose': 'only where rows are refused (connectors/duckdb/refused.test.ts passes it)',
  'database.refused': 'only where rows are refused, see above',
  'database.promote': 'only where rows are refused, see above',
  'database.trial': 'only where rows are refused, see above',
  'database.search': 'only where there are savepoints',
  'database.ask': 'only after a lost answer (connectors/duckdb/crash.test.ts passes it)',
  'database.late': 'only where there are indexes',
  'database.index': 'only where there are indexes',
  'database.models': 'a command: models are refreshed with the rows',
  'database.replace': 'only where all rows leave',
  'database.rejects': 'only under keep error',
  'database.tamper': 'only when a test falsifies rows',
  'database.delta-own': 'only with --delta (test/contract/target-dates.ts passes it)',
  'database.delta-table': 'only with --delta, see above',
  'database.delta-run': 'only with --delta, see above',
  'database.delta-empty': 'only with --delta, see above',
  'database.delta-leave': 'only with --delta, see above',
  'database.delta-fill': 'only with --delta, see above',
}

/** What an upsert into DuckDB passes of its own steps. */
export function duckdbPoints(): Set<string> {
  const names = new Set<string>()
  for (const room of ['database', 'connectors/duckdb']) {
    for (const path of sources(join(SOURCE, room))) for (const match of readFileSync(path, 'utf8').matchAll(/'((?:database|duckdb)\.[a-z.-]+)'/g)) names.add(baseName(match[1] ?? ''))
  }
  return new Set([...names].filter((name) => !(name in UNDISTURBED_DUCKDB)))
}
