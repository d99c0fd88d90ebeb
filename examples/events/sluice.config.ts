/** Events and organizations as they are, what the last load brought, and four counts by the day of `received_at`. */
import { defineConfig } from 'sluice'

export default defineConfig({
  // A file beside this one. With SLUICE_TO=postgres://…, or --to, everything goes into a server instead.
  defaults: { to: 'duckdb:warehouse.duckdb' },
  pipelines: {
    events: {
      load: 'incoming/events/*.json',
      into: 'raw.events',
      key: 'id',
      delta: 'raw.events_delta',
      dateField: 'received_at',
      models: 'models/',
    },
    organizations: { load: 'incoming/organizations/*.json', into: 'raw.organizations', key: 'organization_key', mode: 'upsert', models: 'models/' },
  },
})
