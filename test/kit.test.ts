import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError, writePlugin } from '../scripts/new-plugin.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What goes wrong with a connector: in which file, how, and what the suite must say. */
interface Mistake {
  readonly file: (name: string) => string;
  readonly change: (text: string) => string;
  readonly says: RegExp;
}

const plugin = (name: string) => `src/connectors/${name}/${name}.ts`;
const mistakes: Record<string, Mistake> = {
  'not-registered': {
    file: () => 'src/connectors/index.ts',
    change: (text) => text.replace(/,?\s*notRegistered(?=[,\]\s])(?! \})/, ''),
    says: /no connector of type 'not_registered': add a line there/,
  },
  'no-heading': {
    file: (name) => `docs/channels/${name}.md`,
    change: (text) => text.replace('## Limits', '## Limitations'),
    says: /the page lacks '## Limits'/,
  },
  'takes-unsigned': {
    file: plugin,
    change: (text) => text.replace('if (!given) throw', 'if (!given) return;\n  if (!given) throw'),
    says: /accepts it unsigned/,
  },
  'takes-altered': {
    file: plugin,
    change: (text) => text.replace("if (matchesSignature(expected, given, 'hex')) return;", 'if (given) return;'),
    says: /accepts an altered body/,
  },
  'fails-open': {
    file: plugin,
    change: (text) =>
      text
        .replace("Webhooks'),", "Webhooks').optional(),")
        .replace('const given', 'if (!config.secret) return;\n  const given'),
    says: /open to all without secret/,
  },
  'promises-reply': {
    file: plugin,
    change: (text) => text.replace('reply: false', 'reply: true'),
    says: /capabilities.reply and reply\(\) disagree/,
  },
  'reads-the-clock': {
    file: plugin,
    change: (text) => text.replace('occurredAt: sentAt', 'occurredAt: context.clock.now()'),
    says: /depends on more than the payload/,
  },
  'reads-wrongly': {
    file: plugin,
    change: (text) => text.replace('value: sender.id', 'value: sender.id.toUpperCase()'),
    says: /u-7/,
  },
  'real-people': {
    file: (name) => `src/connectors/${name}/README.md`,
    change: (text) => text,
    says: /use addresses of example.com/,
  },
};

/** Follows docs/adding-a-connector.md and docs/adding-a-destination.md in a copy of the repository, as a stranger would. */
describe('The kit for a new connector or destination', function () {
  let copy: string;
  let results: readonly { readonly fullTitle: string; readonly err: { readonly message?: string } }[];

  before(() => {
    copy = mkdtempSync(join(tmpdir(), 'tributary-kit-'));
    for (const name of ['src', 'test', 'scripts', 'docs', 'package.json', 'tsconfig.json', '.mocharc.json']) {
      cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    const { status, output } = run('--import=tsx', 'scripts/new-plugin.ts', 'connector', 'sample-chat');
    assert.equal(status, 0, output);
    for (const [name, { file, change }] of Object.entries(mistakes)) {
      writePlugin(copy, 'connector', name);
      const path = join(copy, file(name));
      writeFileSync(path, change(readFileSync(path, 'utf8')));
    }
    writeFileSync(join(copy, 'src/connectors/real-people/fixtures/messages/note.txt'), 'somebody@mail.real');
    writeFileSync(join(copy, 'results.json'), '{}');
    run(
      'node_modules/mocha/bin/mocha.js',
      'test/connectors.test.ts',
      '--reporter=json',
      '--reporter-option=output=results.json',
    );
    results = (JSON.parse(readFileSync(join(copy, 'results.json'), 'utf8')) as { tests: typeof results }).tests;
  });
  after(() => rmSync(copy, { recursive: true, force: true }));

  function run(...args: string[]) {
    // Without what this run of mocha says to its children.
    const { NODE_OPTIONS: _options, UPDATE_GOLDEN: _golden, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: copy, env, encoding: 'utf8' });
    return { status, output: stdout + stderr };
  }
  const resultsOf = (name: string) =>
    results.filter(({ fullTitle }) => fullTitle.startsWith(`Every connector ${name} `));

  it('writes one that passes its suite as it stands', () => {
    const own = resultsOf('sample-chat');
    assert.ok(own.length >= 11, `${own.length} tests`);
    assert.deepEqual(
      own.filter(({ err }) => err.message !== undefined),
      [],
    );
  });

  it('writes a destination that passes its suite as it stands', () => {
    const written = run('--import=tsx', 'scripts/new-plugin.ts', 'destination', 'sample-desk');
    assert.equal(written.status, 0, written.output);
    const only = ['-g', 'Every destination sample-desk'];
    const { status, output } = run('node_modules/mocha/bin/mocha.js', 'test/destinations.test.ts', ...only);
    assert.equal(status, 0, output);
    assert.match(output, /[23]\d passing/);
  });

  it('writes code that compiles', () => {
    const files = [plugin('sample-chat'), 'src/dispatch/sample-desk/sample-desk.ts'];
    writeFileSync(join(copy, 'tsconfig.kit.json'), JSON.stringify({ extends: './tsconfig.json', include: [], files }));
    const { status, output } = run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.kit.json');
    assert.equal(status, 0, output);
  });

  it('writes over nothing, and takes no name that can’t be one', () => {
    const index = join(copy, 'src/connectors/index.ts');
    const before = readFileSync(index, 'utf8');
    for (const name of [
      'sample-chat',
      'webhook',
      'Viber',
      'sample_chat',
      '../evil',
      'a--b',
      '1st',
      'new',
      'x'.repeat(50),
    ]) {
      assert.throws(() => writePlugin(copy, 'connector', name), UsageError, name);
    }
    assert.equal(readFileSync(index, 'utf8'), before);
  });

  for (const [name, { says }] of Object.entries(mistakes)) {
    it(`has a suite that says what is wrong: ${name.replaceAll('-', ' ')}`, () => {
      const messages = resultsOf(name).flatMap(({ err }) => (err.message ? [err.message] : []));
      assert.ok(
        messages.some((message) => says.test(message)),
        messages.join('\n') || 'nothing failed',
      );
    });
  }
});
