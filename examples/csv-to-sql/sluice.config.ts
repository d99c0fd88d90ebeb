/** CSV into a SQLite file in bulk, and from there into another database: what changed, and nothing else. */
import { defineConfig } from 'sluice'

export default defineConfig({
  pipelines: {
    bulk: {
      load: 'incoming/*.csv',
      into: 'product',
      to: 'sqlite:products.db',
      key: 'sku',
      mode: 'upsert',
      columns: { name: 'string(420)', sku: 'string(120)', description: 'string' },
    },
    onward: {
      // _place says which file and row a row comes from: it grows when the row changes, so it is a cursor.
      load: 'sqlite:products.db?query=select sku, name, description, _place as changed from product&cursor=changed&overlap=0',
      into: 'product',
      // Another file beside this one, or a server with --to postgres://…
      to: 'duckdb:shop.duckdb',
      key: 'sku',
    },
  },
})
