/** Models as they lie on disk: folders of `.sql` files, and files. */
import { join } from 'node:path'
import { SluiceError } from '../core/errors.ts'
import type { Model } from '../core/model.ts'
import { localFs } from '../storage/local.ts'
import { inOrder } from './graph.ts'
import { readModel } from './header.ts'

/**
 * The models of these files and folders (not below them), in the order of their dependencies.
 * @param paths absolute
 * @throws SluiceError MODEL_INVALID with file and line, PATH_NOT_FOUND
 */
export async function readModels(paths: readonly string[]): Promise<Model[]> {
  const models: Model[] = []
  for (const path of paths) {
    const stat = await localFs.stat(path)
    if (stat === null) throw new SluiceError('PATH_NOT_FOUND', `There are no models at ${path}.`, { where: { path } })
    const names = stat.kind === 'folder' ? ((await localFs.list(path)) ?? []).filter(({ name, kind }) => kind !== 'folder' && /^[^._].*\.sql$/i.test(name)).map(({ name }) => join(path, name)) : [path]
    if (names.length === 0) throw new SluiceError('MODEL_INVALID', `${path} holds no model.`, { where: { path }, hint: 'A model is a file that ends in .sql.' })
    for (const file of names.toSorted()) models.push(readModel(file, Buffer.from((await localFs.read(file)) ?? new Uint8Array()).toString('utf8')))
  }
  return inOrder(models)
}
