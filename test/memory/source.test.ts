/** The table in memory keeps to the contract that the databases are held to. */
import type { ContractRow } from '../contract/source.ts'
import { sourceContract } from '../contract/source.ts'
import { openMemorySource } from './source.ts'
import type { MemoryTable } from './source.ts'

sourceContract('memory', {
  async make() {
    const table: MemoryTable = { schema: [{ name: 'id', type: 'int64' }, { name: 'name', type: 'string' }, { name: 'amount', type: 'decimal(10,2)' }, { name: 'changed', type: 'string' }], rows: [] }
    return {
      put(rows: readonly ContractRow[]) {
        for (const row of rows) table.rows = [...table.rows.filter(([id]) => id !== row[0]), [...row]]
      },
      open: async (columns) => openMemorySource(table, columns, 2),
    }
  },
})
