/**
 * The command with batches of SLUICE_PROOF_BATCH files at most, so that a few small files already make many batches that
 * several processes divide among themselves; and every batch is read by all workers of its process at once.
 */
import { main } from '../../src/cli/main.ts'
import { RANGE } from '../../src/engines/duckdb/ranges.ts'
import { BATCH_LIMIT } from '../../src/pipeline/ingest.ts'

BATCH_LIMIT.files = Number(process.env['SLUICE_PROOF_BATCH'] ?? BATCH_LIMIT.files)
RANGE.bytes = 1
await main(process.argv.slice(2))
