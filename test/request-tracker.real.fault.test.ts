import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Connection from 'nodemailer/lib/smtp-connection';
import type { DeliveryView, Message, Ticket } from '../src/core/ticket.ts';
import { freePort } from './fakes/free-port.ts';
import { requestTrackerMissing, startRequestTracker, type RequestTracker } from './fakes/request-tracker.ts';
import { startSink, type SmtpSink } from './fakes/smtp.ts';
import { startTelegram, TOKEN, type FakeTelegram } from './fakes/telegram.ts';
import { until } from './fakes/until.ts';
import { startWhole, type Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

/** `CONVERSATIONS=100` makes it long. */
const MOST = Number(process.env.CONVERSATIONS ?? 6);
const CHANNELS = ['mail', 'contact', 'bot'] as const;

type List<T> = { readonly data: readonly T[]; readonly nextCursor: string | null };

/** A line that takes the answer away: to every fifth request that makes a ticket, and every seventh that adds to one. */
async function startCutter(target: number) {
  const cut = { creates: 0, appends: 0 };
  const count = { creates: 0, appends: 0 };
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    let loses = false;
    near.on('data', (chunk) => {
      const line = chunk.toString('latin1', 0, 60);
      const kind = line.startsWith('POST /REST/2.0/ticket ')
        ? 'creates'
        : /^POST \/REST\/2\.0\/ticket\/\d+\/co/.test(line)
          ? 'appends'
          : undefined;
      if (kind && ++count[kind] % (kind === 'creates' ? 5 : 7) === 0) {
        loses = true;
        cut[kind] += 1;
      }
      far.write(chunk);
    });
    far.on('data', (chunk) => (loses ? near.destroy() : near.write(chunk)));
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('error', () => socket.destroy());
      socket.on('close', () => other.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    cut,
    count,
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

describe('A real Request Tracker', () => {
  let tracker: RequestTracker;
  let telegram: FakeTelegram;
  let post: SmtpSink;
  let cutter: Awaited<ReturnType<typeof startCutter>>;
  let whole: Whole;
  let mailPort: number;

  before(async function () {
    const missing = requestTrackerMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    this.timeout(120_000);
    [tracker, telegram, post, mailPort] = await Promise.all([
      startRequestTracker(),
      startTelegram(),
      startSink(),
      freePort(),
    ]);
    cutter = await startCutter(tracker.port);
    whole = await startWhole({
      yaml: `  - { id: bot, type: telegram, token: "${TOKEN}", apiRoot: "${telegram.root}" }
  - id: mail
    type: email
    address: support@desk.test
    listen: { host: 127.0.0.1, port: ${mailPort}, maxBytes: 1000000 }
    smtp: { host: 127.0.0.1, port: ${post.port}, secure: false }
destinations:
  - { id: rt, type: request_tracker, apiRoot: "${cutter.origin}", token: "${tracker.token}", queue: General }
routes:
  - { to: [rt] }
`,
    });
    await until(
      () =>
        new Promise<boolean>((resolve) => {
          const socket = connect(mailPort, '127.0.0.1', () => socket.destroy());
          socket.once('error', () => resolve(false)).once('connect', () => resolve(true));
        }),
      'the gateway takes mail',
    );
  });
  after(async () => {
    await whole?.close();
    await cutter?.close();
    await Promise.all([tracker?.stop(), telegram?.close(), post?.close()]);
  });

  const channelOf = (n: number) => CHANNELS[n % CHANNELS.length] ?? 'mail';
  const words = (n: number, k: number) => `conversation ${n} part ${k}.`;
  const fileOf = (n: number, k: number) => ({ name: `c${n}-${k}.txt`, bytes: Buffer.from(`bytes of ${n}/${k}`) });

  async function write(n: number, k: number): Promise<void> {
    const text = words(n, k);
    const { name, bytes } = fileOf(n, k);
    switch (channelOf(n)) {
      case 'mail':
        return hand(mailPort, `c${n}@customers.test`, mailOf(n, k, text, name, bytes));
      case 'contact': {
        const attachments = [{ name, mediaType: 'text/plain', content: bytes.toString('base64') }];
        const body = { name: `C ${n}`, email: `c${n}@forms.test`, message: text, id: `f-${n}-${k}`, attachments };
        const post = () =>
          fetch(`${whole.running.url}/forms/contact`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          });
        let answer = await post();
        // All people of this test share one network, of which a form takes so many messages a minute.
        for (; answer.status === 429; answer = await post()) await sleep(5000);
        assert.equal(answer.status, 200, await answer.text());
        return;
      }
      case 'bot': {
        const chat = { id: 7000 + n, type: 'private', first_name: `C${n}` };
        const document = {
          file_id: `${n}-${k}`,
          file_unique_id: `${n}-${k}`,
          file_name: name,
          mime_type: 'text/plain',
        };
        telegram.addFile(`${n}-${k}`, bytes);
        telegram.push({
          update_id: 10 * n + k + 1000,
          message: {
            message_id: k,
            date: 1_795_341_600 + k,
            chat,
            from: { ...chat, is_bot: false, type: undefined },
            document,
            caption: text,
          },
        });
      }
    }
  }

  const pageAll = async <T>(path: string): Promise<T[]> => {
    const all: T[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: List<T> = await whole.api<List<T>>(
        `${path}${path.includes('?') ? '&' : '?'}limit=200${cursor && `&cursor=${cursor}`}`,
      );
      all.push(...page.data);
      cursor = page.nextCursor;
    }
    return all;
  };
  const deliveries = () => pageAll<DeliveryView>('/deliveries?destination=rt');

  /** What stands in RT under the account of the gateway, in order: first line of the customer's words, and files. */
  async function keptThere(id: string) {
    const { items } = await tracker.look('transactions', {
      query: `TicketId = ${id} AND Creator = 'gateway' AND (Type = 'Create' OR Type = 'Correspond' OR Type = 'Comment')`,
      fields: 'Type',
      orderby: 'id',
      order: 'ASC',
      per_page: '100',
    });
    const kept: { texts: string[]; files: string[]; types: unknown[] } = { texts: [], files: [], types: [] };
    for (const item of items) {
      kept.types.push(item['Type']);
      const parts = await tracker.look(`transaction/${String(item['id'])}/attachments`, {
        fields: 'ContentType,Filename',
      });
      for (const part of parts.items) {
        if (String(part['ContentType']).startsWith('multipart/')) continue;
        const { Content } = await tracker.look(`attachment/${String(part['id'])}`);
        const text = Buffer.from(String(Content), 'base64').toString();
        const name = part['Filename'];
        if (typeof name === 'string' && name !== '') kept.files.push(`${name}: ${text}`);
        else kept.texts.push(...(text.match(/conversation \d+ part \d+\.|answer to \d+|inside \d+/g) ?? [text]));
      }
    }
    return kept;
  }

  /** Until RT has everything. Whoever has repaired a help desk ends its pause. */
  async function delivered(most: number): Promise<void> {
    let waiting: readonly DeliveryView[] = [];
    for (let tries = 0; tries < 400 + MOST * 10; tries++) {
      await sleep(1000);
      const found = await deliveries();
      waiting = found.filter(({ state }) => state !== 'delivered');
      if (waiting.length === 0 && found.filter(({ type }) => type === 'message.received').length >= most) return;
      if (tries % 10 === 0) await whole.api('/destinations/rt/resume', { method: 'POST' });
    }
    const state = await whole.api('/destinations/rt/health');
    assert.fail(`not delivered: ${JSON.stringify([waiting.slice(0, 5), waiting.length, state], null, 1)}`);
  }

  it('has every conversation once, in order, with its files, though it is killed and its answers are lost', async function () {
    this.timeout(600_000 + MOST * 30_000);
    const all = Array.from({ length: MOST }, (_, n) => n);
    // Fewer at a time than one address may have connections for mail.
    const left = [...all];
    const some = async () => {
      for (let n = left.shift(); n !== undefined; n = left.shift()) {
        for (const k of [1, 2, 3]) {
          await write(n, k);
          await sleep(300 + (n % 5) * 400);
        }
      }
    };
    const writing = Promise.all(Array.from({ length: 12 }, some));
    for (const wait of [2500, 6000]) {
      await sleep(wait);
      await tracker.kill();
      await sleep(500);
      await tracker.start();
    }
    await writing;
    await delivered(MOST * 3);

    const tickets = await pageAll<Ticket>('/tickets');
    const there = await tracker.look('tickets', { query: 'id > 0', fields: 'Subject', per_page: '100' });
    assert.equal(there['total'], tickets.length, 'no ticket twice');
    assert.ok(cutter.cut.creates >= Math.floor(MOST / 5), `creates that lost their answer: ${cutter.cut.creates}`);
    for (const n of all) {
      const mine = [];
      for (const ticket of tickets) {
        const messages = (await whole.api<List<Message>>(`/tickets/${ticket.id}/messages`)).data;
        if (
          messages.some(({ text }) => text.includes(words(n, 1).slice(0, -7)) && text.startsWith(`conversation ${n} `))
        )
          mine.push(ticket);
      }
      const kept = await Promise.all(mine.map(({ links }) => keptThere(links[0]?.externalId ?? '')));
      const expected = [1, 2, 3].map((k) => words(n, k));
      assert.deepEqual(kept.flatMap(({ texts }) => texts).sort(), expected, `conversation ${n}`);
      const files = [1, 2, 3].map((k) => `${fileOf(n, k).name}: ${fileOf(n, k).bytes.toString()}`);
      assert.deepEqual(kept.flatMap((each) => each.files).sort(), files, `files of ${n}`);
      assert.equal(mine.length, 1, `conversation ${n} is one ticket`);
      assert.deepEqual(kept[0]?.texts, expected, `order of ${n}`);
    }
  });

  it('sends what agents say to the customers, once, and what they note to nobody', async function () {
    this.timeout(300_000 + MOST * 10_000);
    const tickets = await pageAll<Ticket>('/tickets');
    const idOf = ({ links }: Ticket) => links[0]?.externalId ?? '';
    const file = {
      FileName: 'answer.txt',
      FileType: 'text/plain',
      FileContent: Buffer.from('from ivan').toString('base64'),
    };
    for (const ticket of tickets) {
      const path = `ticket/${idOf(ticket)}`;
      await tracker.agent('POST', `${path}/comment`, { Content: `inside ${ticket.number}`, ContentType: 'text/plain' });
      await tracker.agent('POST', `${path}/correspond`, {
        Content: `<p>answer to ${ticket.number}</p>`,
        ContentType: 'text/html',
        Attachments: [file],
      });
      await tracker.agent('PUT', path, { Status: 'resolved' });
    }
    await until(async () => {
      const now = await pageAll<Ticket>('/tickets');
      return now.every(({ status }) => status === 'solved');
    }, 'all are solved');
    const reached = () => [
      ...telegram.calls.map(({ parameters }) => JSON.stringify(parameters)),
      ...post.mails.map(({ raw }) => raw),
    ];
    for (const ticket of tickets) {
      const messages = async () => (await whole.api<List<Message>>(`/tickets/${ticket.id}/messages`)).data;
      const answer = await until(async () => {
        const found = (await messages()).find(({ text }) => text === `answer to ${ticket.number}`);
        const isThere = found?.attachments.every(({ state }) => state === 'stored') ?? false;
        return isThere && found?.delivery?.state !== 'waiting' && found;
      }, `an answer in ${ticket.number}`);
      assert.equal(answer.author.name, 'Ivan');
      assert.deepEqual(
        answer.attachments.map(({ name, state }) => [name, state]),
        [['answer.txt', 'stored']],
      );
      const times = reached().filter((text) => new RegExp(`answer to ${ticket.number}\\b`).test(text)).length;
      if (answer.delivery?.state === 'failed') assert.equal(ticket.channel.id, 'contact', answer.delivery.error ?? '');
      else assert.equal(times, 1, `answer to ${ticket.number} through ${answer.channel?.id}`);
      const notes = (await messages()).filter(({ kind }) => kind === 'note').map(({ text }) => text);
      assert.deepEqual(notes, [`inside ${ticket.number}`]);
    }
    assert.ok(reached().every((text) => !text.includes('inside ')));
    await until(async () => (await deliveries()).every(({ state }) => state === 'delivered'), 'all is quiet');
    for (const ticket of tickets.slice(0, 6)) {
      const { texts } = await keptThere(idOf(ticket));
      const echoes = texts.filter((text) => !text.startsWith('conversation'));
      // An answer that could not reach the customer comes back to its agent, and nothing else does.
      assert.ok(
        echoes.every((text) => text.startsWith('answer')) && echoes.length <= (ticket.channel.id === 'contact' ? 1 : 0),
        texts.join('\n'),
      );
    }
  });

  it('knows its ids, and says so when they are not there', async () => {
    const [ticket] = (await whole.api<List<Ticket>>('/tickets')).data;
    const { items } = await tracker.look('tickets', { query: `'CF.{TributaryId}' = '${ticket!.id}'` });
    assert.deepEqual(
      items.map(({ id }) => String(id)),
      [ticket!.links[0]!.externalId],
    );
    const tried = await whole.api<{ ok: boolean; text: string }>('/destinations/rt/test', { method: 'POST' });
    assert.deepEqual([tried.ok, /^Request Tracker 5\./.test(tried.text)], [true, true]);
    const shown = await whole.api<{ url: string; body: { CustomFields: object } }>('/destinations/rt/dry-run', {
      method: 'POST',
      body: { ticketId: ticket!.id },
    });
    assert.deepEqual(shown.body.CustomFields, { TributaryId: ticket!.id });
  });

  it('is told a new status, and keeps it', async () => {
    const [ticket] = (await whole.api<List<Ticket>>('/tickets')).data;
    const path = `ticket/${ticket!.links[0]!.externalId}`;
    await whole.api(`/tickets/${ticket!.id}`, { method: 'PATCH', body: { status: 'pending', priority: 'high' } });
    await until(async () => {
      const { Status, Priority } = (await tracker.look(path)) as Record<string, unknown>;
      return Status === 'stalled' && ['100', 'High'].includes(String(Priority));
    }, 'it is stalled there');
    await sleep(6000);
    const { status } = await whole.api<Ticket>(`/tickets/${ticket!.id}`);
    assert.equal(status, 'pending', 'our own act does not come back');
  });
});

function mailOf(n: number, k: number, text: string, name: string, bytes: Buffer): string {
  const references =
    k === 1 ? '' : `In-Reply-To: <c${n}-${k - 1}@customers.test>\r\nReferences: <c${n}-1@customers.test>\r\n`;
  return (
    `From: C${n} <c${n}@customers.test>\r\nTo: support@desk.test\r\nSubject: Conversation ${n}\r\n${references}` +
    `Message-ID: <c${n}-${k}@customers.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n` +
    `--b\r\nContent-Type: text/plain\r\n\r\n${text}\r\n` +
    `--b\r\nContent-Type: text/plain; name="${name}"\r\nContent-Disposition: attachment; filename="${name}"\r\n` +
    `Content-Transfer-Encoding: base64\r\n\r\n${bytes.toString('base64')}\r\n--b--\r\n`
  );
}

/** Hands a mail over as a mail server does. */
async function hand(port: number, from: string, raw: string): Promise<void> {
  const connection = new Connection({ host: '127.0.0.1', port, secure: false, ignoreTLS: true });
  try {
    await new Promise<void>((resolve, reject) => {
      connection.once('error', reject);
      connection.connect((error) => (error ? reject(error) : resolve()));
    });
    await new Promise<void>((resolve, reject) => {
      connection.send({ from, to: ['support@desk.test'] }, raw, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    connection.close();
  }
}
