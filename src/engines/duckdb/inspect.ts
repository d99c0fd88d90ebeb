/** An inspection inside the child. */
import type { InspectJob, Inspected } from '../../core/inspect.ts'
import { SluiceError } from '../../core/errors.ts'
import { inspectFile } from '../../formats/inspect.ts'
import { isMisnamed, misnamed, openPinned } from '../../storage/pin.ts'
import type { Pulse } from '../../storage/pulse.ts'
import type { Database } from './database.ts'
import { ForeignParquet } from './foreign.ts'

/** @throws SluiceError FILE_GONE, FILE_UNREADABLE */
export async function inspectPinned(job: InspectJob, database: Database, pulse: Pulse): Promise<Inspected> {
  const { pin } = job
  const file = openPinned(pin)
  if (file === null && isMisnamed(pin.uri)) {
    const { code, message, path, hint } = misnamed(pin.uri)
    throw new SluiceError(code, message, { where: { path }, ...(hint === undefined ? {} : { hint }) })
  }
  if (file === null) throw new SluiceError('FILE_GONE', `${pin.uri} is gone, or changed since it was looked at.`, { where: { path: pin.uri } })
  const foreign = new ForeignParquet(database.memory)
  pulse.begin(1)
  let done = 0
  try {
    return await inspectFile(job, (into, at, length) => {
      const n = file.read(into, at, length)
      done += n
      pulse.at(done)
      return n
    }, foreign.rows)
  } finally {
    pulse.done()
    foreign.close()
    file.close()
  }
}
