/** Which model comes before which, and which of them a change of a table reaches. */
import { SluiceError } from '../core/errors.ts'
import type { Model } from '../core/model.ts'

/**
 * The models, each after those that it reads; otherwise by name.
 * @throws SluiceError MODEL_INVALID for models of one name, and for models that wait for one another, each named
 */
export function inOrder(models: readonly Model[]): Model[] {
  const named = new Map<string, Model>()
  for (const model of models) {
    const other = named.get(model.name)
    if (other !== undefined) throw new SluiceError('MODEL_INVALID', `${model.path}: the model ${model.name} is made by ${other.path}, too.`, { where: { path: model.path }, hint: 'Give one of them another name.' })
    named.set(model.name, model)
  }
  const ordered: Model[] = []
  const visit = (model: Model, trail: readonly Model[]): void => {
    if (ordered.includes(model)) return
    const at = trail.indexOf(model)
    if (at >= 0) {
      const circle = [...trail.slice(at), model].map(({ name }) => name).join(' → ')
      throw new SluiceError('MODEL_INVALID', `${model.path}: models wait for one another: ${circle}.`, { where: { path: model.path }, hint: 'Let one of them read a table in the place of a model.' })
    }
    for (const input of model.inputs) {
      const before = named.get(input)
      if (before !== undefined) visit(before, [...trail, model])
    }
    ordered.push(model)
  }
  for (const model of models.toSorted((a, b) => (a.name < b.name ? -1 : 1))) visit(model, [])
  return ordered
}

/** Those of the ordered models that read the table, themselves or through others. */
export function reachedBy(table: string, models: readonly Model[]): Model[] {
  const reached = new Set([table])
  return models.filter(({ name, inputs }) => {
    if (!inputs.some((input) => reached.has(input))) return false
    reached.add(name)
    return true
  })
}
