/**
 * What the console lets through: one SELECT over known tables with known functions, told from DuckDB's own parse tree.
 *
 * The type of a statement says too little: EXPLAIN ANALYZE runs what it explains, and some table functions write files. So
 * whatever the tree holds that is not known here is refused, also what a later version of DuckDB may add.
 */
import { SluiceError } from '../../core/errors.ts'
import { lineAndColumn } from '../../sql/statement.ts'

/** Table functions that only compute. */
const TABLE_FUNCTIONS = new Set(['range', 'generate_series', 'unnest', 'repeat', 'repeat_row', 'json_each', 'json_tree', 'generate_subscripts', 'regexp_split_to_table'])
/** Functions that tell of the machine, hold the process, keep something, or write logs. */
export const REFUSED_FUNCTIONS: ReadonlySet<string> = new Set([
  'current_setting', 'getvariable', 'write_log', 'setseed', 'sleep_ms', 'pg_sleep', 'nextval', 'currval', 'json_serialize_plan', 'parse_duckdb_log_message',
  'duckdb_logs_parsed', 'duckdb_profiling_settings', 'current_query', 'in_search_path', 'txid_current', 'current_connection_id', 'current_query_id', 'current_transaction_id',
])
/** They have no entry in DuckDB's list of functions. */
const WINDOW_FUNCTIONS = ['row_number', 'rank', 'dense_rank', 'rank_dense', 'percent_rank', 'cume_dist', 'ntile', 'lag', 'lead', 'first', 'last', 'first_value', 'last_value', 'nth_value', 'fill']
/** FROM parts whose content is looked at; any other kind is refused. */
const FROM_PARTS = new Set(['BASE_TABLE', 'SUBQUERY', 'JOIN', 'TABLE_FUNCTION', 'EMPTY', 'EXPRESSION_LIST', 'SHOW_REF', 'COLUMN_DATA', 'EMPTY_FROM', 'CTE'])
const DESCRIBING = new Set(['DESCRIBE', 'SUMMARY'])

type Node = Readonly<Record<string, unknown>>

/** What `json_serialize_sql` answers. */
interface Parsed {
  error: boolean
  error_type?: string
  error_message?: string
  position?: string
  statements?: readonly Node[]
}

/** The name of every function that DuckDB lists, of the kinds that a query may use. */
export const FUNCTIONS_SQL = "SELECT DISTINCT lower(function_name) AS name FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate', 'macro')"

/**
 * @param parsed the text that `json_serialize_sql(sql)` answered
 * @param functions what FUNCTIONS_SQL answered
 * @throws SluiceError SQL_INVALID, SQL_REFUSED
 */
export function checkQuery(sql: string, parsed: string, tables: readonly string[], functions: ReadonlySet<string>): void {
  const tree = JSON.parse(parsed) as Parsed
  if (tree.error) throw notParsed(sql, tree)
  if (tree.statements?.length !== 1) throw refused(`${tree.statements?.length ?? 0} statements were given; it takes one`)
  const known = new Set(tables.map((name) => name.toLowerCase()))
  for (const node of nodesOf(tree.statements[0])) if (Array.isArray(node['map'])) for (const entry of node['map'] as Node[]) known.add(String(entry['key']).toLowerCase())
  for (const node of nodesOf(tree.statements[0])) checkNode(sql, node, known, tables, functions)
}

function notParsed(sql: string, { error_type: type, error_message: message = '', position }: Parsed): SluiceError {
  if (type !== 'parser') return refused('it is no SELECT')
  const at = Number(position)
  const place = Number.isSafeInteger(at) ? ` (${lineAndColumn(sql, at)})` : ''
  return new SluiceError('SQL_INVALID', `${message.charAt(0).toUpperCase()}${message.slice(1)}${place}.`, Number.isSafeInteger(at) ? { where: { offset: Buffer.byteLength(sql.slice(0, at)) } } : {})
}

function checkNode(sql: string, node: Node, known: ReadonlySet<string>, tables: readonly string[], functions: ReadonlySet<string>): void {
  const type = String(node['type'])
  if (type === 'BASE_TABLE') {
    const name = String(node['table_name'])
    const schema = String(node['schema_name'] ?? '')
    const elsewhere = !['', 'memory'].includes(String(node['catalog_name'] ?? ''))
    // What WITH names has no schema.
    const isKnown = ['', 'main'].includes(schema) ? known.has(name.toLowerCase()) : tables.some((table) => table.toLowerCase() === `${schema}.${name}`.toLowerCase())
    if (elsewhere || !isKnown) throw noTable(sql, [node['catalog_name'], node['schema_name'], name].filter((part) => part !== '' && part !== undefined).join('.'), node, tables)
  } else if (type === 'TABLE_FUNCTION') {
    const name = String((node['function'] as Node | undefined)?.['function_name']).toLowerCase()
    if (!TABLE_FUNCTIONS.has(name)) throw refused(`the function ${name} is not for the console`, sql, node)
  } else if (type === 'SHOW_REF') {
    if (!DESCRIBING.has(String(node['show_type'])) || node['query'] === null) throw refused('SHOW is not for the console', sql, node)
  } else if ('table_name' in node || ('alias' in node && 'sample' in node && !FROM_PARTS.has(type))) {
    throw refused(`${type} is not for the console`, sql, node)
  }
  if ('function_name' in node) {
    const name = String(node['function_name']).toLowerCase()
    const isKnown = functions.has(name) || TABLE_FUNCTIONS.has(name) || (node['class'] === 'WINDOW' && WINDOW_FUNCTIONS.includes(name))
    if (REFUSED_FUNCTIONS.has(name)) throw refused(`the function ${name} is not for the console`, sql, node)
    if (!isKnown) throw new SluiceError('SQL_INVALID', `There is no function ${name}${placeOf(sql, node)}.`)
  }
}

function noTable(sql: string, name: string, node: Node, tables: readonly string[]): SluiceError {
  const there = tables.length === 0 ? 'There is none here' : `There are ${tables.slice(0, 20).join(', ')}${tables.length > 20 ? ', …' : ''}`
  return new SluiceError('SQL_INVALID', `There is no table ${name}${placeOf(sql, node)}. ${there}.`, { hint: 'sluice tables ls lists the tables; files are loaded before they are asked.' })
}

function refused(why: string, sql = '', node: Node = {}): SluiceError {
  return new SluiceError('SQL_REFUSED', `${why.charAt(0).toUpperCase()}${why.slice(1)}${placeOf(sql, node)}.`)
}

function placeOf(sql: string, node: Node): string {
  const at = Number(node['query_location'])
  return Number.isSafeInteger(at) && at <= sql.length ? ` (${lineAndColumn(sql, at)})` : ''
}

/** Every object in the tree. */
function* nodesOf(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const one of value) yield* nodesOf(one)
  else if (typeof value === 'object' && value !== null) {
    yield value as Node
    for (const one of Object.values(value)) yield* nodesOf(one)
  }
}
