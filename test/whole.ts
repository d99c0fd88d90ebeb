/**
 * Thin and whole: cases that are many of one kind are thinned in `npm test`, which should take minutes. All of them are played
 * where SLUICE_TEST_WHOLE is set: by `.ci/run`, and by the proof `whole`.
 */
export const WHOLE = process.env['SLUICE_TEST_WHOLE'] !== undefined

/** Every n-th of the cases and the last one, or all. */
export function thinned<T>(cases: readonly T[], n: number): T[] {
  return cases.filter((_, at) => WHOLE || at % n === 0 || at === cases.length - 1)
}

/** One of the cases, another one for every turn, or all. */
export function oneOf<T>(cases: readonly T[], turn: number): T[] {
  return cases.filter((_, at) => WHOLE || at === turn % cases.length)
}
