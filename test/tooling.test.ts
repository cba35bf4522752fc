import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = join(import.meta.dirname, '..');

describe('a checkout', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-checkout-'));
  const main = (text: string) => {
    writeFileSync(
      join(folder, 'src', 'main.ts'),
      `export const main = async (args: string[]): Promise<number> => {
         process.stdout.write('${text} ' + args.join(','));
         return 3;
       };\n`,
    );
  };
  const launch = (...nodeOptions: string[]) => {
    const run = spawnSync(process.execPath, [...nodeOptions, 'bin/tributary.cjs', 'tickets', 'list'], {
      cwd: folder,
      encoding: 'utf8',
    });
    return { code: run.status, out: run.stdout, err: run.stderr };
  };

  before(() => {
    for (const name of ['bin', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build.mjs']) {
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    }
    mkdirSync(join(folder, 'src', 'fixtures'), { recursive: true });
    writeFileSync(join(folder, 'src', 'page.html'), '<!doctype html>');
    writeFileSync(join(folder, 'src', 'fixtures', 'payload.json'), '{}');
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    main('first');
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('builds itself on the first command, and hands on arguments and exit code', () => {
    const { code, out, err } = launch();
    assert.equal(out, 'first tickets,list', err);
    assert.equal(code, 3);
    assert.match(err, /^Built dist\//m);
  });

  it('brings along what the code reads beside itself, without what only tests read', () => {
    const built = readdirSync(join(folder, 'dist'));
    assert.ok(built.includes('page.html'));
    assert.ok(!built.includes('fixtures'));
  });

  it('starts without building when nothing has changed', () => {
    assert.deepEqual(launch(), { code: 3, out: 'first tickets,list', err: '' });
  });

  it('builds again after an edit', () => {
    main('second');
    assert.equal(launch().out, 'second tickets,list');
  });

  it('leaves nothing of a build behind but dist/', () => {
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('dist')),
      ['dist'],
    );
  });

  it('keeps the last build when the next one fails', () => {
    writeFileSync(join(folder, 'src', 'broken.ts'), 'export const = ;\n');
    const { code, err } = launch();
    assert.equal(code, 1);
    assert.match(err, /The build failed: typescript found the errors above\.$/m);
    assert.ok(readdirSync(join(folder, 'dist')).includes('main.js'));
    rmSync(join(folder, 'src', 'broken.ts'));
  });

  it('says what to install when it has to build and cannot', () => {
    rmSync(join(folder, 'node_modules'));
    rmSync(join(folder, 'dist'), { recursive: true });
    assert.deepEqual(launch(), {
      code: 1,
      out: '',
      err: 'dist/ is missing and TypeScript is not installed. Run: npm ci --include=dev\n',
    });
  });

  for (const version of ['0.10.48', '18.20.8', '20.18.3']) {
    it(`refuses Node ${version} in one line`, () => {
      const pretend = join(folder, 'pretend.cjs');
      writeFileSync(pretend, `Object.defineProperty(process, 'versions', { value: { node: '${version}' } });\n`);
      const { code, err } = launch('--require', pretend);
      assert.equal(code, 1);
      assert.match(err, /^Tributary needs Node 20\.19 or newer, this is [\d.]+\. .+\n$/);
    });
  }
});

describe('a test run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-run-'));
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (lines: string[], env: Record<string, string> = {}, ...args: string[]) => {
    const file = join(folder, 'sample.test.ts');
    const skip = pathToFileURL(join(ROOT, 'test', 'skip.ts')).href;
    writeFileSync(file, [`import { skipUnless } from '${skip}';`, 'void skipUnless;', ...lines].join('\n'));
    const { REQUIRE_ALL: _, ...rest } = process.env;
    const { status, stdout } = spawnSync(process.execPath, ['scripts/test.mjs', ...args, file], {
      cwd: ROOT,
      encoding: 'utf8',
      env: { ...rest, ...env },
    });
    return { code: status, out: stdout, last: stdout.trimEnd().split('\n').at(-1) };
  };
  const SKIPPED = [
    "it('sails', function () { skipUnless(this, false, 'there is no wind'); });",
    "it('rows', () => {});",
  ];

  it('ends with its count', () => {
    const { code, last } = run(["it('rows', () => {});", "it('sinks', () => { throw new Error('leak'); });"]);
    assert.equal(last, '1 passed, 1 failed, 0 skipped');
    assert.equal(code, 1);
  });

  it('names what was skipped, and why', () => {
    const { code, out, last } = run(SKIPPED);
    assert.match(out, /^Skipped, there is no wind \(1\):\n {2}- sails$/m);
    assert.equal(last, '1 passed, 0 failed, 1 skipped');
    assert.equal(code, 0);
  });

  it('fails over a skipped test when everything is required', () => {
    const { code, last } = run(SKIPPED, { REQUIRE_ALL: '1' });
    assert.equal(last, '1 passed, 0 failed, 1 skipped');
    assert.equal(code, 1);
  });

  it('fails when it found nothing to run', () => {
    const { code, last } = run([]);
    assert.equal(last, '0 passed, 0 failed, 0 skipped');
    assert.equal(code, 1);
  });

  it('fails when the process dies in the middle', () => {
    const { code, last } = run(["it('sinks', () => { process.kill(process.pid, 'SIGKILL'); });"]);
    assert.equal(last, '0 passed, 1 failed, 0 skipped');
    assert.equal(code, 1);
  });

  it('runs a file with a failure once more where that is asked for, and says that it helped', () => {
    const once = JSON.stringify(join(folder, 'once'));
    const lines = [
      "import { existsSync, writeFileSync } from 'node:fs';",
      "it('rows', () => {});",
      `it('sinks', () => { if (!existsSync(${once})) { writeFileSync(${once}, ''); throw new Error('leak'); } });`,
    ];
    const { code, out, last } = run(lines, {}, '--again');
    assert.match(out, /Error: leak/);
    assert.match(out, /^Failed once, then passed: .*sample\.test\.ts$/m);
    assert.equal(last, '2 passed, 0 failed, 0 skipped');
    assert.equal(code, 0);
  });

  it('fails over what fails again', () => {
    const { code, out, last } = run(["it('sinks', () => { throw new Error('leak'); });"], {}, '--again');
    assert.doesNotMatch(out, /then passed/);
    assert.equal(last, '0 passed, 1 failed, 0 skipped');
    assert.equal(code, 1);
  });

  it('fails over a test that is run alone', () => {
    const { code } = run(["it.only('rows', () => {});"]);
    assert.equal(code, 1);
  });

  it('fails when something is left open', () => {
    const { code, out, last } = run(["it('rows', () => { setInterval(() => {}, 1000); });"]);
    assert.match(out, /^The tests left open: .*Timeout$/m);
    assert.equal(last, '1 passed, 1 failed, 0 skipped');
    assert.equal(code, 1);
  });
});
