/** The contract of every target: the same cases, against the reference model, whatever lies behind the port. */
import { after, before, describe } from 'node:test'
import type { Variant } from './scene.ts'
import { adoptCases } from './target-adopt.ts'
import { alterCases } from './target-alter.ts'
import { commitCases } from './target-commit.ts'
import { dateCases } from './target-dates.ts'
import { lateCases } from './target-late.ts'
import { rejectCases } from './target-rejects.ts'
import { replaceCases } from './target-replace.ts'
import { resolveCases } from './target-resolve.ts'
import { tamperCases } from './target-tamper.ts'
import { valueCases } from './target-values.ts'
import { WHOLE } from '../whole.ts'

export type { Variant } from './scene.ts'

/**
 * Registers the whole suite. Every case has a table of its own; they share one variant.
 * @param open called once, before the first case
 * @param staging true: the target is there already, staged by another engine. Of it `npm test` plays what depends on the staging
 */
export function targetContract(name: string, open: () => Promise<Variant>, staging = false): void {
  const everything = WHOLE || !staging
  describe(`target contract: ${name}`, () => {
    let variant: Variant | undefined
    const get = (): Variant => {
      if (variant === undefined) throw new Error('the variant did not open')
      return variant
    }
    before(async () => {
      variant = await open()
    })
    after(async () => {
      await variant?.dispose()
    })
    if (everything) {
      commitCases(get)
      adoptCases(get)
      replaceCases(get)
      lateCases(get)
      alterCases(get)
    }
    resolveCases(get)
    rejectCases(get)
    dateCases(get)
    valueCases(get)
    tamperCases(get)
  })
}
