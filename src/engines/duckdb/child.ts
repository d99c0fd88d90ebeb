/**
 * An engine process. First of all it begins to open DuckDB, then it loads what it needs to serve its parent: a thread opens
 * meanwhile, which takes as long. Messages that come before anybody listens are kept by Node.
 */
import './opening.ts'
import { flushCompileCache } from 'node:module'

await import('./serving.ts')
// It is killed in the end, and Node writes its cache of compiled sources only when a process ends by itself.
flushCompileCache()
