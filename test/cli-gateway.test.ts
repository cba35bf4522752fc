import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { inFolder, run } from './fakes/cli.ts';

const MAIN = new URL('../src/main.ts', import.meta.url).href;
const CODE = `import { main } from ${JSON.stringify(MAIN)}; process.exitCode = await main(process.argv.slice(1));`;

/** `tributary start` as a process of its own, in a folder, on a free port. */
async function withStarted(
  cwd: string,
  work: (gateway: { url: string; child: ChildProcess; output: () => string }) => Promise<void>,
): Promise<void> {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const child = spawn(process.execPath, ['--import', tsx, '--input-type=module', '-e', CODE, 'start'], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  try {
    const file = join(cwd, 'data', 'gateway.json');
    // The last thing that it says of itself.
    while (!output.includes('one-time set-up link')) {
      assert.equal(child.exitCode, null, output);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { url } = JSON.parse(readFileSync(file, 'utf8')) as { url: string };
    await work({ url, child, output: () => output });
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
}

describe('the command line and a gateway of its own', function () {
  it('starts, takes really signed messages, and stops cleanly', async () => {
    await inFolder(async (cwd) => {
      assert.equal((await run(['init', '-y'], { cwd })).code, 0);
      await withStarted(cwd, async ({ url, child, output }) => {
        assert.match(output(), /"open":"http:\/\/127\.0\.0\.1:\d+\/setup\?t=/);

        const trigger = async (...args: string[]) => {
          const { code, stdout, stderr } = await run(['trigger', '--json', ...args], { cwd });
          assert.ok(stdout, stderr);
          const { statuses, outcomes, tickets } = JSON.parse(stdout) as {
            statuses: object;
            outcomes: object;
            tickets: { messageCount: number; subject: string }[];
          };
          return { code, statuses, outcomes, messages: tickets.map(({ messageCount }) => messageCount), tickets };
        };
        const { tickets: _f, ...form } = await trigger('form');
        assert.deepEqual(form, { code: 0, statuses: { 200: 1 }, outcomes: { ticket_created: 1 }, messages: [1] });
        const { tickets: _d, ...duplicate } = await trigger('duplicate');
        assert.deepEqual(duplicate, {
          code: 0,
          statuses: { 200: 5 },
          outcomes: { ticket_created: 1, duplicate: 4 },
          messages: [1],
        });
        const { tickets: _c, ...conversation } = await trigger('conversation');
        assert.deepEqual(conversation, {
          code: 0,
          statuses: { 200: 3 },
          outcomes: { ticket_created: 1, appended: 2 },
          messages: [3],
        });
        const batch = await trigger('batch');
        assert.deepEqual(
          [batch.code, Object.keys(batch.outcomes).includes('quarantined'), batch.messages],
          [0, true, [2]],
        );
        const { tickets: _x, ...forged } = await trigger('forged');
        assert.deepEqual(forged, { code: 0, statuses: { 401: 1 }, outcomes: {}, messages: [] });
        assert.deepEqual((await trigger('webhook', '--invalid-signature')).statuses, { 401: 1 });
        const burst = await trigger('burst', '--count', '20', '--rate', '200');
        assert.deepEqual([burst.code, burst.statuses, burst.outcomes], [0, { 200: 20 }, { ticket_created: 20 }]);
        const set = await trigger('webhook', '--set', 'subject=Hello', '--set', 'from.name=Ivan');
        assert.equal(set.tickets[0]?.subject, 'Hello');

        const unknown = await run(['trigger', 'nope'], { cwd });
        assert.deepEqual([unknown.code, /There are: form, webhook/.test(unknown.stderr)], [2, true]);
        assert.equal((await run(['trigger', 'form', '--channel', 'intake'], { cwd })).code, 1);
        assert.equal((await run(['trigger', 'webhook', '--set', '__proto__.x=1'], { cwd })).code, 2);

        const list = JSON.parse((await run(['tickets', 'list', '--json'], { cwd })).stdout) as { data: unknown[] };
        assert.equal(list.data.length, 25);
        const { code, stdout } = await run(['doctor'], { cwd });
        assert.deepEqual(
          [code, stdout.includes('✔ gateway'), stdout.includes('✔ file rights')],
          [0, true, true],
          stdout,
        );

        // A second one can't have the port, and can't have the folder: each is told who holds it.
        const umask = process.umask(0o077);
        const port = new URL(url).port;
        const busy = await run(['start'], { cwd, env: { PORT: port, DATA_DIR: 'data2' } });
        assert.equal(busy.code, 1, busy.stderr);
        assert.match(
          busy.stderr,
          new RegExp(`port ${port} on 127\\.0\\.0\\.1 is taken by process ${child.pid}\\n.*PORT=`),
        );
        const locked = await run(['start'], { cwd, env: { PORT: '0' } });
        process.umask(umask);
        assert.equal(locked.code, 1);
        assert.match(locked.stderr, new RegExp(`in use by process ${child.pid}`));

        child.kill('SIGTERM');
        const [exitCode] = (await once(child, 'exit')) as [number];
        assert.equal(exitCode, 0, output());
        assert.ok(!existsSync(join(cwd, 'data', 'gateway.json')));
        assert.ok(!output().includes('whsec_'));
      });
    });
  });
});
