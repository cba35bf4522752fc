import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresMissing, startPostgres, type Postgres } from './fakes/postgres.ts';
import { TOKEN } from './fakes/telegram.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

interface Gateway {
  readonly child: ChildProcess;
  readonly url: string;
  readonly token: string;
}

describe('a process that is stopped while it fetches, and goes on after another one has taken over', function () {
  let postgres: Postgres;
  let database: string;
  let folder: string;
  let vendor: Awaited<ReturnType<typeof startVendor>>;
  let gateways: Gateway[];
  before(async function () {
    const missing = postgresMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    [postgres, vendor, gateways] = [await startPostgres(), await startVendor(), []];
    database = await postgres.createDatabase();
    folder = mkdtempSync(join(tmpdir(), 'tributary-asleep-'));
    writeFileSync(
      join(folder, 'tributary.yaml'),
      `channels: [{ id: bot, type: telegram, token: "${TOKEN}", apiRoot: "${vendor.root}" }]\n`,
    );
  });
  after(async () => {
    for (const { child } of gateways ?? []) child.kill('SIGKILL');
    vendor?.close();
    await postgres?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  async function start(): Promise<Gateway> {
    const child = fork(new URL('./fakes/child-gateway.ts', import.meta.url), {
      execArgv: ['--import', 'tsx'],
      env: {
        ...process.env,
        PORT: '0',
        TRIBUTARY_CONFIG: join(folder, 'tributary.yaml'),
        DATA_DIR: join(folder, 'data'),
        DATABASE_URL: database,
        LOOK_MS: '200',
      },
    });
    const [said] = (await once(child, 'message')) as [{ url: string; token: string }];
    const gateway = { child, ...said };
    gateways.push(gateway);
    return gateway;
  }

  async function api<T>({ url, token }: Gateway, path: string): Promise<T> {
    const answer = await fetch(`${url}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 200, path);
    return (await answer.json()) as T;
  }
  async function texts(gateway: Gateway): Promise<string[]> {
    const { data: tickets } = await api<{ data: { id: string }[] }>(gateway, '/tickets');
    if (tickets.length === 0) return [];
    assert.equal(tickets.length, 1);
    const { data } = await api<{ data: { text: string }[] }>(gateway, `/tickets/${tickets[0]!.id}/messages`);
    return data.map(({ text }) => text);
  }
  const processes = async () => (await postgres.run('SELECT id FROM processes', database)).length;
  const cursor = async () => {
    const [row] = await postgres.run('SELECT poll_cursor FROM endpoint_states', database);
    return String(row?.['poll_cursor']).split(' ')[0];
  };

  it('moves no cursor back, files nothing twice, and is one of them again', async () => {
    const first = await start();
    await until(() => vendor.waiting() === 1, 'the first one fetches');
    const second = await start();
    first.child.kill('SIGSTOP');
    // It has them, and will read them when it wakes up.
    vendor.push('one', 'two', 'three');
    await until(() => vendor.waiting() === 1, 'the second one has taken over and fetched them');
    vendor.push('four');
    await until(async () => (await cursor()) === '5', 'and goes on');
    assert.deepEqual(await texts(second), ['one', 'two', 'three', 'four']);
    assert.equal(await processes(), 1);

    first.child.kill('SIGCONT');
    await until(async () => (await processes()) === 2, 'the first one has noticed');
    vendor.push('five');
    await until(async () => (await cursor()) === '6', 'the second one goes on');
    assert.deepEqual(await texts(first), ['one', 'two', 'three', 'four', 'five']);
    assert.equal(vendor.waiting(), 1, 'one of them fetches');
    const balance = await api<{ balanced: boolean }>(first, '/events/balance');
    assert.equal(balance.balanced, true);
  });
});

/** Bots fetch updates from it; a question is held until there is something. */
async function startVendor() {
  const updates: { update_id: number }[] = [];
  let held: { readonly offset: number; readonly response: ServerResponse }[] = [];
  const say = (response: ServerResponse, result: unknown) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ok: true, result }));
  };

  function answer(): void {
    const waiting = held;
    held = [];
    for (const question of waiting) {
      const found = updates.filter(({ update_id }) => update_id >= question.offset);
      if (found.length > 0) say(question.response, found);
      else if (!question.response.destroyed) held.push(question);
    }
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (!request.url?.endsWith('/getUpdates')) return say(response, true);
      const { offset = 0 } = JSON.parse(Buffer.concat(chunks).toString() || '{}') as { offset?: number };
      held.push({ offset, response });
      return answer();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const chat = { id: 7, type: 'private', first_name: 'Anna' };
  return {
    root: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting: () => held.filter(({ response }) => !response.destroyed).length,
    push(...words: readonly string[]) {
      for (const text of words) {
        const update_id = updates.length + 1;
        const from = { id: 7, is_bot: false, first_name: 'Anna' };
        const message = { message_id: update_id, date: Math.floor(Date.now() / 1000), chat, from, text };
        updates.push({ update_id, ...{ message } });
      }
      answer();
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
