import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCuttingProxy, type CuttingProxy } from './fakes/cutting-proxy.ts';
import { dovecotMissing, startDovecot, type Dovecot } from './fakes/dovecot.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const USER = 'support@example.test';
const PEOPLE = ['olena', 'bohdan', 'iryna', 'taras', 'nadia'];

/** The mail with that number; each person writes his in one conversation. */
function mailNo(number: number): string {
  const person = PEOPLE[number % PEOPLE.length]!;
  const isFirst = number < PEOPLE.length;
  return [
    `From: ${person} <${person}@example.com>`,
    `To: ${USER}`,
    `Subject: ${isFirst ? '' : 'Re: '}Question of ${person}`,
    `Message-ID: <mail-${number}@example.com>`,
    ...(isFirst ? [] : [`In-Reply-To: <mail-${number % PEOPLE.length}@example.com>`]),
    `Date: ${new Date().toUTCString()}`,
    'Content-Type: text/plain; charset=utf-8',
    '',
    `number ${number}`,
    'x'.repeat(2000),
    '',
  ].join('\r\n');
}

interface Page<T> {
  readonly data: readonly T[];
  readonly nextCursor: string | null;
}

describe('a gateway that reads a mailbox through everything that can happen', () => {
  let dovecot: Dovecot;
  let proxy: CuttingProxy;
  let folder: string;
  let child: ChildProcess | undefined;
  let access: { readonly url: string; readonly token: string };

  before(async function () {
    const missing = dovecotMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    dovecot = await startDovecot([USER]);
    proxy = await startCuttingProxy(dovecot.imapPort);
    folder = mkdtempSync(join(tmpdir(), 'tributary-mail-'));
    const imap = `host: 127.0.0.1, port: ${proxy.port}, secure: false, user: ${USER}, password: ${dovecot.password}`;
    writeFileSync(
      join(folder, 'tributary.yaml'),
      `channels: [{ id: mail, type: email, address: ${USER}, imap: { ${imap}, pollSeconds: 5 } }]\n`,
    );
  });
  after(async () => {
    await end('SIGKILL');
    await proxy?.close();
    await dovecot?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    const started = fork(new URL('./fakes/child-gateway.ts', import.meta.url), {
      execArgv: ['--import', 'tsx'],
      env: {
        ...process.env,
        PORT: '0',
        TRIBUTARY_CONFIG: join(folder, 'tributary.yaml'),
        DATA_DIR: join(folder, 'data'),
      },
    });
    child = started;
    access = await new Promise((resolve, reject) => {
      started.once('message', resolve);
      started.once('exit', (code) => reject(new Error(`the gateway did not start: ${code}`)));
    });
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    await gone;
  }

  async function api<T>(path: string): Promise<T> {
    const answer = await fetch(`${access.url}/api/v1${path}`, { headers: { authorization: `Bearer ${access.token}` } });
    assert.equal(answer.status, 200, path);
    return (await answer.json()) as T;
  }

  async function all<T>(path: string): Promise<T[]> {
    const found: T[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Page<T> = await api(
        `${path}${path.includes('?') ? '&' : '?'}limit=100${cursor && `&cursor=${cursor}`}`,
      );
      found.push(...page.data);
      cursor = page.nextCursor;
    }
    return found;
  }

  const filed = async () => {
    const events = await all<{ outcome: string }>('/events');
    return events.filter(({ outcome }) => outcome === 'ticket_created' || outcome === 'appended').length;
  };

  const reaches = (count: number) => until(async () => (await filed()) >= count, `${count} are filed`);

  it('files each mail once and in order: fetched late, renumbered, cut off, killed twice, and pushed', async function () {
    await start();
    await until(async () => (await all('/events')).length > 0, 'the mailbox is begun');
    await end('SIGTERM');

    // While it is stopped.
    const first = Array.from({ length: 200 }, (_, number) => number);
    await dovecot.deliver(USER, first.map(mailNo));

    proxy.cutAfter(60_000);
    await start();
    await reaches(40);
    await end('SIGKILL');
    dovecot.renumber(USER, 'INBOX');
    await start();
    await reaches(90);
    await end('SIGKILL');
    await start();
    await reaches(200);
    assert.ok(proxy.connections() > 5, 'the line was cut');
    proxy.cutAfter(undefined);
    dovecot.kick(USER);

    // While it waits for news.
    await sleep(2000);
    for (let number = 200; number < 250; number++) await dovecot.deliver(USER, [mailNo(number)]);
    await reaches(250);

    const tickets = await all<{ id: string; subject: string }>('/tickets');
    assert.deepEqual(
      tickets.map(({ subject }) => subject).sort(),
      PEOPLE.map((person) => `Question of ${person}`).sort(),
    );
    for (const ticket of tickets) {
      const person = PEOPLE.findIndex((name) => ticket.subject.endsWith(name));
      const messages = await all<{ text: string }>(`/tickets/${ticket.id}/messages`);
      assert.deepEqual(
        messages.map(({ text }) => Number(/^number (\d+)/.exec(text)?.[1])),
        Array.from({ length: 50 }, (_, index) => index * PEOPLE.length + person),
        ticket.subject,
      );
    }
    const { balanced } = await api<{ balanced: boolean }>('/events/balance');
    assert.ok(balanced);
    const notes = await all<{ outcome: string; reason: string | null }>('/events?outcome=ignored');
    assert.equal(notes.filter(({ reason }) => reason?.includes('mailbox_started')).length, 1);
    assert.equal(notes.filter(({ reason }) => reason?.includes('folder_renumbered')).length, 1);
    await end('SIGTERM');
  });
});
