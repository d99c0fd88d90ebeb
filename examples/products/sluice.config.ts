/** Half a million products, told apart by their sku, and how many there are of each name. */
import { defineConfig } from 'sluice'

export default defineConfig({
  pipelines: {
    products: {
      load: 'incoming/*.csv',
      into: 'product',
      // A file beside this one. With SLUICE_TO=postgres://…, or --to, everything goes into a server instead.
      to: 'sqlite:shop.db',
      key: 'sku',
      mode: 'upsert',
      columns: { name: 'string(420)', sku: 'string(120)', description: 'string' },
      models: 'models/',
    },
  },
})
