import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PermanentError } from '../src/core/errors.ts';
import type { Change } from '../src/core/ticket.ts';
import { postgresMissing, startPostgres, type Postgres } from './fakes/postgres.ts';
import { startReceiver, type Receiver } from './fakes/receiver.ts';
import { until } from './fakes/until.ts';
import { INTAKE_SECRET, startWhole, type Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

type Options = NonNullable<Parameters<typeof startWhole>[0]>;
type Page = { readonly data: readonly { readonly id: string }[] };

describe('several gateways on one PostgreSQL database, without Redis', function () {
  let server: Postgres;
  let url: string;
  let folder: string;
  let receiver: Receiver;
  let started: Whole[];
  before(async function () {
    const missing = postgresMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    server = await startPostgres();
    url = await server.createDatabase();
  });
  after(() => server?.stop());
  beforeEach(async () => {
    [started, folder, receiver] = [[], mkdtempSync(join(tmpdir(), 'tributary-cluster-')), await startReceiver()];
  });
  afterEach(async () => {
    await receiver.close();
    await Promise.all(started.map((whole) => whole.close()));
    rmSync(folder, { recursive: true, force: true });
    await server.empty(url);
  });

  const routed = () =>
    `destinations:\n  - { id: crm, type: webhook, url: "${receiver.origin}", secret: "${INTAKE_SECRET}" }\nroutes:\n  - { to: [crm] }\n`;
  async function start(given: Pick<Options, 'yaml' | 'roles'> = {}): Promise<Whole> {
    const env = { DATABASE_URL: url, DATA_DIR: join(folder, 'data') };
    const whole = await startWhole({ ...given, env, lookMs: 50 });
    started.push(whole);
    return whole;
  }
  const said = (n: number) => ({ id: `m-${n}`, thread: `t-${n}`, from: { id: `u-${n}` }, text: `message ${n}` });
  const heard = () =>
    receiver.requests
      .map(({ body }) => JSON.parse(body.toString()) as { type: string; data: { message?: { externalId: string } } })
      .filter(({ type }) => type === 'message.received')
      .map(({ data }) => data.message!.externalId);

  it('share the work: more is on its way at the same time than one of them does', async () => {
    const [one, two] = [await start({ yaml: routed() }), await start({ yaml: routed() })];
    receiver.behave('hang');
    for (let n = 0; n < 20; n++) assert.equal(await (n % 2 ? one : two).send(said(n)), 200);
    const holders =
      'SELECT DISTINCT split_part(lease_token, $$.$$, 1) AS holder FROM tasks WHERE lease_token IS NOT NULL';
    await until(async () => receiver.requests.length >= 16, 'both are busy');
    assert.equal((await server.run(holders, url)).length, 2);
  });

  it('make one message of fifty equal ones that reach both at once', async () => {
    const both = [await start(), await start()];
    // As a vendor does: what a busy store refused comes again.
    const sent = async (whole: Whole): Promise<number> => {
      const status = await whole.send(said(1));
      return status === 503 ? sent(whole) : status;
    };
    const statuses = await Promise.all(Array.from({ length: 50 }, (_, n) => sent(both[n % 2]!)));
    assert.deepEqual(new Set(statuses), new Set([200]));
    const { data } = await both[0]!.api<Page>('/tickets');
    assert.equal((await both[1]!.api<Page>(`/tickets/${data[0]!.id}/messages`)).data.length, 1);
    const balance = await both[0]!.api<{ balanced: boolean; outcomes: object }>('/events/balance');
    assert.deepEqual([data.length, balance.balanced], [1, true]);
    const { ticket_created, duplicate } = balance.outcomes as Record<string, number>;
    assert.deepEqual([ticket_created, duplicate], [1, 49]);
  });

  it('take up what one of them was doing when it was given up, under the same ids', async () => {
    const one = await start({ yaml: routed() });
    receiver.behave('hang');
    for (let n = 0; n < 4; n++) assert.equal(await one.send(said(n)), 200);
    await until(async () => (await one.api<Page>('/deliveries?state=delivering')).data.length >= 4, 'it is at it');
    const two = await start({ yaml: routed() });
    receiver.behave('ok');
    const [first] = await server.run(
      `SELECT split_part(lease_token, '.', 1) AS id FROM tasks WHERE lease_token IS NOT NULL`,
      url,
    );
    await two.running.gateway.store.write([], (tx) => tx.endProcess(first!['id'] as string));
    await until(async () => (await two.api<Page>('/deliveries?state=delivered')).data.length === 12, 'all arrive');
    const ids = receiver.requests.map(({ headers }) => headers['webhook-id']);
    assert.equal(new Set(ids).size, 12);
    assert.deepEqual([...new Set(heard())].sort(), ['m-0', 'm-1', 'm-2', 'm-3']);
  });

  it('do each what their roles say, and together everything', async () => {
    const web = await start({ yaml: routed(), roles: ['web'] });
    assert.equal(await web.send(said(1)), 200);
    const channels = await start({ yaml: routed(), roles: ['channels'] });
    await assert.rejects(fetch(channels.running.url), 'nobody is answered there');
    assert.deepEqual(heard(), []);
    await start({ yaml: routed(), roles: ['worker'] });
    await until(() => heard().length === 1, 'the worker delivers');
  });

  it('know what was made and changed in another one', async () => {
    const [one, two] = [await start(), await start()];
    const settings = { auth: { type: 'standard_webhooks', secret: INTAKE_SECRET } };
    await one.api('/channels', { method: 'POST', body: { id: 'extra', type: 'webhook', settings } });
    await until(async () => (await two.send(said(1), { channel: 'extra' })) === 200, 'the other one has it');
    await two.api('/channels/extra', { method: 'PATCH', body: { enabled: false } });
    await until(async () => (await one.send(said(2), { channel: 'extra' })) !== 200, 'it is switched off here too');
    const destination = {
      id: 'crm',
      type: 'webhook',
      settings: { url: 'https://crm.example.com', secret: INTAKE_SECRET },
    };
    await one.api('/destinations', { method: 'POST', body: destination });
    await one.api('/routes', { method: 'POST', body: { when: { channel: ['intake'] }, to: ['crm'] } });
    const waiting = async () => (await one.api<Page>('/deliveries?destination=crm')).data.length;
    let n = 3;
    await until(
      async () => (await two.send(said(n++))) === 200 && (await waiting()) > 0,
      'its route is followed here too',
    );
  });

  it('tell those who listen what happens in another one', async () => {
    const [one, two] = [await start(), await start()];
    const changes: Change[] = [];
    const stop = two.running.gateway.onChange((change) => changes.push(change));
    // Whoever follows hears of what is committed once the end of the feed has been asked for.
    let sent = 0;
    await until(async () => {
      assert.equal(await one.send(said(++sent)), 200);
      return changes.some(({ type }) => type === 'message.received');
    }, 'it is told');
    stop();
  });

  it('let in whom another one let in, and do once what both are asked for', async () => {
    const [one, two] = [await start(), await start()];
    assert.equal(await one.send(said(1)), 200);
    const { key } = await one.api<{ key: string }>('/keys', {
      method: 'POST',
      body: { name: 'tests', scopes: ['tickets:read', 'tickets:write'] },
    });
    const { data } = await two.api<{ data: { id: string }[] }>('/tickets', {
      headers: { authorization: `Bearer ${key}` },
    });
    const note = (whole: Whole) =>
      whole.api<{ id: string }>(`/tickets/${data[0]!.id}/notes`, {
        method: 'POST',
        body: { text: 'a note' },
        headers: { authorization: `Bearer ${key}`, 'idempotency-key': 'once' },
      });
    const first = await note(one);
    assert.deepEqual(await note(two), first);
    const { data: messages } = await one.api<{ data: unknown[] }>(`/tickets/${data[0]!.id}/messages`);
    assert.equal(messages.length, 2);
  });

  it('let one admin in by set-up links of two processes at the same moment', async () => {
    const both = [await start(), await start()];
    const links = await Promise.all(both.map(({ running }) => running.setupLink()));
    const answers = await Promise.all(
      links.map((link) => {
        const { origin, searchParams } = new URL(link!);
        const body = new URLSearchParams({ t: searchParams.get('t')!, name: 'Olena' });
        return fetch(`${origin}/setup`, { method: 'POST', headers: { origin }, body, redirect: 'manual' });
      }),
    );
    assert.equal(answers.filter(({ status }) => status === 303).length, 1, String(answers.map(({ status }) => status)));
    assert.equal((await server.run('SELECT id FROM users', url)).length, 1);
  });

  it('need PostgreSQL to share roles out', async () => {
    await assert.rejects(startWhole({ roles: ['web'] }), (error) => {
      assert.ok(error instanceof PermanentError);
      assert.match(`${error.message} ${error.hint}`, /SQLite.*DATABASE_URL/);
      return true;
    });
  });

  it('leave the file by which the command line finds them until the last one has stopped', async () => {
    const token = () => {
      try {
        return (JSON.parse(readFileSync(join(folder, 'data', 'gateway.json'), 'utf8')) as { token: string }).token;
      } catch {
        return undefined;
      }
    };
    const [one, two] = [await start(), await start()];
    assert.equal(token(), two.running.token);
    await started.pop()!.close();
    await until(() => token() === one.running.token, 'the one that is left is found');
    await started.pop()!.close();
    assert.equal(token(), undefined);
  });
});
