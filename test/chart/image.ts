/**
 * The image that the Dockerfile describes, made without a builder and without a registry: the same files from this
 * checkout, handed to the test cluster's image loader. `node test/chart/image.ts IMAGE` makes it and loads it.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')

/** One COPY of the final stage. `stage` is null where the file comes from the checkout itself. */
export type Copy = {
  readonly stage: string | null
  readonly source: string
  readonly target: string
}

/** What the final stage of the Dockerfile says. */
export type Recipe = {
  readonly copies: readonly Copy[]
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly user: string
}

/** Reads the final stage. @throws Error for a line that this test does not know how to follow */
export function readRecipe(text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')): Recipe {
  const lines = text.replace(/\\\n/g, ' ').split('\n')
  const last = lines.findLastIndex((line) => line.startsWith('FROM '))
  const copies: Copy[] = []
  const said = new Map<string, string>()
  for (const line of lines.slice(last + 1).filter((each) => /^[A-Z]/.test(each))) {
    const [word = '', ...rest] = line.split(/\s+/)
    if (word !== 'COPY') {
      said.set(word, rest.join(' '))
      continue
    }
    const stage = rest[0]?.startsWith('--from=') ? rest.shift()?.slice('--from='.length) : null
    const [source = '', target = '', more] = rest
    if (more !== undefined) throw new Error(`one source and one target in a COPY: ${line}`)
    copies.push({ stage: stage ?? null, source, target })
  }
  return {
    copies,
    entrypoint: JSON.parse(said.get('ENTRYPOINT') ?? '[]'),
    command: JSON.parse(said.get('CMD') ?? '[]'),
    user: said.get('USER') ?? '',
  }
}

/** The packages that `npm ci --omit=dev` installs, as folders below the checkout. */
export function productionPackages(): readonly string[] {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  return Object.entries<{ dev?: boolean; devOptional?: boolean }>(lock.packages)
    .filter(([path, entry]) => path !== '' && entry.dev !== true && entry.devOptional !== true)
    .map(([path]) => path)
    .filter((path) => existsSync(join(ROOT, path)))
}

/**
 * What the loader puts into the image, as `SOURCE:TARGET`, for every COPY of the recipe.
 * @param dist where the sources were built to
 * @throws Error for a COPY that has no counterpart in a checkout
 */
export function pairs(recipe: Recipe, dist: string): readonly string[] {
  return recipe.copies.flatMap(({ stage, source, target }) => {
    if (stage === null) return [`${join(ROOT, source)}:${target}`]
    const name = `${stage} ${source}`
    if (name === 'build /build/dist') return [`${dist}:${target}`]
    if (name === 'production /build/node_modules') {
      return productionPackages().map((path) => `${join(ROOT, path)}:${join(target, '..', path)}`)
    }
    // The loader brings it together with the libraries that the runtime base has.
    if (name === 'build /build/node_modules/node/bin/node') return []
    throw new Error(`no counterpart of COPY --from=${stage} ${source}`)
  })
}

/** Builds the sources and loads the image into the node of the test cluster. */
export function loadImage(loader: string, image: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-dist-'))
  // Below it, because the folder itself is readable by its owner alone, and would be so in the image.
  const dist = join(folder, 'dist')
  try {
    const tsc = join(ROOT, 'node_modules/.bin/tsc')
    const build = ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', dist]
    // What the compiler complains of goes where it is seen: the error would show it as bytes.
    execFileSync(tsc, build, { cwd: ROOT, stdio: ['ignore', 2, 'inherit'] })
    const recipe = readRecipe()
    const args = [
      ...['--name', clusterName()],
      ...['--user', recipe.user, '--entrypoint', JSON.stringify(recipe.entrypoint)],
      ...['--program', join(ROOT, 'node_modules/node/bin/node'), image],
      ...pairs(recipe, dist),
    ]
    execFileSync(loader, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The name under which the cluster of KUBECONFIG was started: its kubeconfig lies in a folder of that name. */
function clusterName(): string {
  return basename(dirname(process.env['KUBECONFIG'] ?? 'default/kubeconfig'))
}

/** The loader of the cluster that stands beside this repository; null where there is none. */
export function findLoader(): string | null {
  const path = process.env['COUNTERSIGN_LOAD_IMAGE'] ?? join(ROOT, '../shared/cluster/load-image')
  return existsSync(path) ? path : null
}

if (import.meta.main) {
  const [, , image] = process.argv
  const loader = findLoader()
  if (image === undefined || loader === null) {
    process.stderr.write('usage: image.ts IMAGE, with a loader in COUNTERSIGN_LOAD_IMAGE\n')
    process.exitCode = 2
  } else loadImage(loader, image)
}
