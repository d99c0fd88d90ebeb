/**
 * The command with batches of SLUICE_PROOF_BATCH files at most, so that a few small files already make many batches that
 * several processes divide among themselves.
 */
import { main } from '../../src/cli/main.ts'
import { BATCH_LIMIT } from '../../src/pipeline/ingest.ts'

BATCH_LIMIT.files = Number(process.env['SLUICE_PROOF_BATCH'] ?? BATCH_LIMIT.files)
await main(process.argv.slice(2))
