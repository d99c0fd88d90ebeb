/** An engine whose children falsify rows: a child takes the environment over when it starts, which is when it is first needed. */
import type { Engine } from '../../src/core/engine.ts'

export function tamperedBy(spec: string, start: () => Engine): Engine {
  const inner = start()
  return {
    ...inner,
    async stage(job, on, signal) {
      process.env['SLUICE_TAMPER'] = spec
      try {
        return await inner.stage(job, on, signal)
      } finally {
        delete process.env['SLUICE_TAMPER']
      }
    },
  }
}
