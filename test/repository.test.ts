import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import semver from 'semver';
import { z } from 'zod';
import { skipUnless } from './skip.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const Manifest = z.object({
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
});
const Installed = z.object({
  name: z.string().optional(),
  version: z.string().default(''),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  license: z.string().optional(),
  dev: z.boolean().default(false),
  optional: z.boolean().default(false),
  hasInstallScript: z.boolean().default(false),
  dependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
});
type Installed = z.infer<typeof Installed> & { readonly path: string; readonly name: string };

const Advisories = z.array(
  z.strictObject({
    package: z.string().min(1),
    range: z.string().refine((range) => semver.validRange(range) !== null, 'is no range of versions'),
    id: z.string().min(1),
    why: z.string().min(20),
  }),
);

/** Packages with an install script that we have seen to work without it. */
const WORK_WITHOUT_SCRIPT = new Set([
  '@photostructure/sqlite', // carries its binaries, the script would only compile another
  '@scarf/scarf', // reports installations to its makers, nothing else
  'esbuild', // checks its binary, which is a package of its own
  'fsevents', // macOS only, carries its binary
  'msgpackr-extract', // carries its binaries, and is only faster with them
  'puppeteer', // would download a browser, we use the one that is installed
]);

const LICENCES = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  '(MIT AND Zlib)',
  '(MIT OR EUPL-1.1+)',
  'MIT-0',
  'Unlicense',
]);
/** MIT as well, but written in a way that npm doesn't read. */
const OLD_LICENCE_FIELD = new Set(['busboy', 'streamsearch', 'xmlhttprequest-ssl']);

const manifest = Manifest.parse(JSON.parse(read('package.json')));
const lock = z.object({ packages: z.record(z.string(), Installed) }).parse(JSON.parse(read('package-lock.json')));
const installed: readonly Installed[] = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({ ...entry, path, name: entry.name ?? path.replace(/^.*node_modules\//, '') }));

const named = (entries: readonly Installed[]) => entries.map(({ name, version }) => `${name}@${version}`);

/** Whether Node, looking from a package upwards through node_modules, finds a name in the lockfile. */
function isFound(from: string, name: string): boolean {
  for (let at = from; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
    if (lock.packages[join(at, 'node_modules', name)]) return true;
    if (at === '') return false;
  }
}

/** Files below a folder of the repository, as paths relative to it; none when there is no such folder. */
function filesIn(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => statSync(join(ROOT, name)).isFile());
}

describe('what is installed', () => {
  it('is proven to be what was published, entry by entry', () => {
    assert.ok(installed.length > 100, 'the lockfile was read');
    assert.deepEqual(named(installed.filter(({ integrity }) => !integrity?.startsWith('sha512-'))), []);
  });

  it('is complete for every platform, else npm ci would refuse it', () => {
    const missing = installed.flatMap(({ path, dependencies, optionalDependencies }) =>
      Object.keys({ ...dependencies, ...optionalDependencies })
        .filter((name) => !isFound(path, name))
        .map((name) => `${name}, which ${path} needs`),
    );
    assert.deepEqual(missing, [], 'a package that the registry lacked when the lockfile was written');
  });

  it('comes from the registry of whoever installs it, never from git, a file or a URL', () => {
    // npm leaves the address out for packages of a registry (.npmrc) and writes it for everything else.
    assert.deepEqual(named(installed.filter(({ resolved }) => resolved !== undefined)), []);
    for (const [name, range] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      assert.match(range, /^\d+\.\d+\.\d+$/, `${name} is pinned to one version`);
    }
  });

  it('has no version that an advisory warns of', () => {
    const advisories = Advisories.parse(JSON.parse(read('advisories.json')));
    const hits = advisories.flatMap((advisory) =>
      installed
        .filter(({ name, version }) => name === advisory.package && semver.satisfies(version, advisory.range))
        .map(({ path, version }) => `${path} ${version}: ${advisory.id}`),
    );
    assert.deepEqual(hits, []);
  });

  it('knows the packages that were taken over by attackers', () => {
    const advisories = Advisories.parse(JSON.parse(read('advisories.json')));
    const warned = (name: string, version: string) =>
      advisories.some((advisory) => advisory.package === name && semver.satisfies(version, advisory.range));
    assert.ok(warned('axios', '1.14.1') && warned('axios', '0.30.4') && warned('plain-crypto-js', '4.2.1'));
    assert.ok(!warned('axios', '1.21.1'));
  });

  it('needs no install script', () => {
    const scripted = installed.filter(({ hasInstallScript }) => hasInstallScript);
    assert.deepEqual(named(scripted.filter(({ name }) => !WORK_WITHOUT_SCRIPT.has(name))), []);
    assert.match(read('.npmrc'), /^ignore-scripts=true$/m);
  });

  it('may be passed on under MIT', () => {
    const shipped = installed.filter(({ dev, optional }) => !dev && !optional);
    assert.deepEqual(
      named(shipped.filter(({ name, license }) => !LICENCES.has(license ?? '') && !OLD_LICENCE_FIELD.has(name))),
      [],
    );
  });

  it('is explained, one line for each dependency', () => {
    const page = read('docs/dependencies.md');
    const names = Object.keys({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    });
    const unexplained = names.filter((name) => !page.includes(`| ${name} `));
    assert.deepEqual(unexplained, [], 'missing in docs/dependencies.md');
    const explained = [...page.matchAll(/^\| ([@a-z][^ ]*) /gm)].map(([, name]) => name ?? '');
    const gone = explained.filter((name) => name !== 'package' && !names.includes(name));
    assert.deepEqual(gone, [], 'no longer in package.json');
  });
});

describe('the repository', () => {
  const sources = ['src', 'console', 'widget'].flatMap(filesIn).filter((name) => !name.includes('/fixtures/'));

  it('names no machine and no registry', function () {
    skipUnless(this, existsSync(join(ROOT, '.git')), 'this is no clone');
    const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0');
    // Put together here, so that this file doesn't hold them.
    const folders = ['work', 'root', 'home', 'tmp'].map((name) => `/${name}/`);
    const forbidden = [...folders, ['registry', 'npmjs'].join('.'), ['npm', 'pkg'].join('.')];
    const hits = tracked
      .filter((name) => name !== '' && existsSync(join(ROOT, name)) && statSync(join(ROOT, name)).isFile())
      .flatMap((name) => {
        const text = read(name);
        return forbidden.filter((word) => namesIt(text, word)).map((word) => `${name}: ${word}`);
      });
    assert.deepEqual(hits, []);
  });

  it('keeps every file short enough to be read in one go', () => {
    const long = sources
      .filter((name) => /\.(tsx?|css)$/.test(name))
      .map((name) => ({ name, lines: read(name).trimEnd().split('\n').length }))
      .filter(({ name, lines }) => lines > (/^src\/(connectors|dispatch)\/[^/]+\//.test(name) ? 250 : 300));
    assert.deepEqual(long, []);
  });

  it('decodes no Brotli, which some supported versions of Node do wrongly', () => {
    const api = /BrotliDecompress|brotliDecompress|DecompressionStream\(\s*['"`]br/;
    assert.deepEqual(
      ['src', 'console', 'widget']
        .flatMap(filesIn)
        .filter((name) => /\.[cm]?[jt]sx?$/.test(name) && api.test(read(name))),
      [],
    );
  });
});

/** Whether a text holds a path or host, not merely as the tail of a longer path such as docs/work/. */
function namesIt(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
    if (!word.startsWith('/') || !/[\w.$})\]*-]/.test(text[at - 1] ?? ' ')) return true;
  }
  return false;
}
