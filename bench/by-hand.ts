/**
 * What a skilled person would write: statements in DuckDB without any guarantee. A process of its own.
 * `by-hand.ts THREADS MEMORY STATEMENT…`; MEMORY may be empty. Prints the rows of the last statement.
 */
import { DuckDBInstance } from '@duckdb/node-api'

const [threads = '2', memory = '', ...statements] = process.argv.slice(2)
const instance = await DuckDBInstance.create(':memory:', { threads, ...(memory === '' ? {} : { memory_limit: memory }) })
const connection = await instance.connect()
for (const statement of statements.slice(0, -1)) await connection.run(statement)
const reader = await connection.runAndReadAll(statements.at(-1) ?? '')
for (const row of reader.getRows()) console.log(row.map(String).join(' '))
