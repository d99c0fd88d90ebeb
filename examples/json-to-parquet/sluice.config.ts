/** Two services of one configuration: documents into Parquet, and the Parquet files into their final folder. */
import { defineConfig } from 'sluice'

export default defineConfig({
  pipelines: {
    to_parquet: { convert: 'json_input', to: 'parquet', output: 'parquet_raw', mirror: true },
    to_final: { sync: 'parquet_raw', to: 'parquet_final', mirror: true },
  },
})
