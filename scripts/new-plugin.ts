// Writes the folder of a new connector or destination type: complete, registered, and passing its suite.
//
//   npm run new:connector viber
//   npm run new:destination acme-desk
import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SELF = fileURLToPath(import.meta.url);

const KINDS = {
  connector: {
    folder: 'src/connectors',
    docs: 'docs/channels',
    guide: 'docs/adding-a-connector.md',
    suite: 'test/connectors.test.ts',
  },
  destination: {
    folder: 'src/dispatch',
    docs: 'docs/destinations',
    guide: 'docs/adding-a-destination.md',
    suite: 'test/destinations.test.ts',
  },
} as const;
type Kind = keyof typeof KINDS;

/** Words that can't be the name of a constant. */
const RESERVED =
  /^(await|break|case|catch|class|const|continue|debugger|default|delete|do|else|enum|export|extends|false|finally|for|function|if|implements|import|in|index|instanceof|interface|let|new|null|package|private|protected|public|return|static|super|switch|this|throw|true|try|typeof|var|void|while|with|yield)$/;

/** A mistake of the caller's: shown without a stack. */
export class UsageError extends Error {}

function main([kind, name, ...rest]: string[]): void {
  if ((kind !== 'connector' && kind !== 'destination') || !name || rest.length > 0) {
    throw new UsageError('Usage: npm run new:connector <name>, or npm run new:destination <name>');
  }
  const written = writePlugin(join(dirname(SELF), '..'), kind, name);
  const { suite, guide } = KINDS[kind];
  console.log(
    ['Written:', ...written.map((path) => `  ${path}`), '', `Next: npx mocha ${suite} -g ${name}`].join('\n'),
  );
  console.log(`Then make it the vendor's own: its README.md lists what to do, ${guide} explains it.`);
}

/** Writes and registers it below `root`; returns what was written. Throws `UsageError` before anything is written. */
export function writePlugin(root: string, kind: Kind, name: string): string[] {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || name.length > 40) {
    throw new UsageError(
      `'${name}' is no name for a folder: small letters, digits and single hyphens, such as acme-chat`,
    );
  }
  if (RESERVED.test(name)) throw new UsageError(`'${name}' means something in TypeScript: choose another name`);
  const files = filesOf(root, kind, name);
  const taken = Object.keys(files).find((path) => existsSync(join(root, path)));
  if (taken || existsSync(join(root, KINDS[kind].folder, name))) {
    throw new UsageError(`${taken ?? `${KINDS[kind].folder}/${name}`} exists: nothing was written`);
  }
  const index = `${KINDS[kind].folder}/index.ts`;
  const registered = register(readFileSync(join(root, index), 'utf8'), name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { flag: 'wx' });
  }
  writeFileSync(join(root, index), registered);
  return [...Object.keys(files), `${index} (one line)`];
}

/** Every file by its path. A template `a.txt` is the file `a` of the folder, but for two: the code and the page. */
function filesOf(root: string, kind: Kind, name: string): Record<string, string> {
  const home = `${KINDS[kind].folder}/${name}`;
  const elsewhere: Record<string, string> = {
    'plugin.ts': `${home}/${name}.ts`,
    'page.md': `${KINDS[kind].docs}/${name}.md`,
  };
  const templates = join(root, 'scripts/templates', kind);
  const paths = readdirSync(templates, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.txt'));
  const read = (path: string) => readFileSync(join(templates, path), 'utf8');
  const words = wordsOf(name, kind === 'connector' ? read('fixtures/messages/body.json.txt') : '');
  return Object.fromEntries(
    paths.sort().map((path) => {
      const file = path.slice(0, -'.txt'.length).replaceAll('\\', '/');
      return [elsewhere[file] ?? `${home}/${file}`, fill(read(path), words)];
    }),
  );
}

/** What the templates call things; `signed` is the fixture that has to be signed with the new secret. */
function wordsOf(name: string, signed: string): Record<string, string> {
  const secret = randomBytes(24).toString('hex');
  const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
  return {
    folder: name,
    type: name.replaceAll('-', '_'),
    camel: camelOf(name),
    title: name.split('-').map(capital).join(' '),
    header: `x-${name}-signature`,
    secret,
    signature: createHmac('sha256', secret).update(signed).digest('hex'),
  };
}

function fill(template: string, words: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_match, word: string) => {
    const value = words[word];
    if (value === undefined) throw new Error(`The template says {{${word}}}, which nobody knows`);
    return value;
  });
}

function camelOf(name: string): string {
  return name.replaceAll(/-([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

/** The registry with one more import and one more entry, as prettier would write it. */
function register(index: string, name: string): string {
  const list = /= \[([^\]]*)\];/.exec(index);
  if (!list) throw new UsageError('There is no list to register it in: index.ts has changed its form');
  const names = (list[1] ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean);
  const entries = [...names, camelOf(name)];
  const line = `import { ${camelOf(name)} } from './${name}/${name}.ts';\n`;
  const end = index.lastIndexOf('\nimport ') + 1;
  const after = index.indexOf('\n', end) + 1;
  const imported = index.slice(0, after) + line + index.slice(after);
  const before = imported.slice(imported.lastIndexOf('\n', imported.indexOf(list[0])) + 1, imported.indexOf(list[0]));
  const short = `= [${entries.join(', ')}];`;
  const long = `= [\n${entries.map((entry) => `  ${entry},\n`).join('')}];`;
  return imported.replace(list[0], () => ((before + short).length <= 120 ? short : long));
}

if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(SELF)) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
