import assert from 'node:assert/strict';
import { avito } from '../src/connectors/avito/avito.ts';
import { systemClock } from '../src/core/clock.ts';
import type { Clock } from '../src/core/clock.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { CLIENT, review, startAvito, USER } from './fakes/avito.ts';
import type { FakeAvito } from './fakes/avito.ts';
import { fakeContext } from './fakes/context.ts';
import { openFiling } from './fakes/filing.ts';
import { samplePayload } from './fakes/samples.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';

type List<T> = { readonly data: readonly T[] };

describe('Avito, through a whole gateway against a stand-in', () => {
  let api: FakeAvito;
  let whole: Whole;
  let ahead = 0;
  const clock: Clock = { now: () => Date.now() + ahead, sleep: (ms, signal) => systemClock.sleep(ms, signal) };
  beforeEach(async () => {
    ahead = 0;
    api = await startAvito();
    const client = `clientId: ${CLIENT.clientId}, clientSecret: "${CLIENT.clientSecret}"`;
    const yaml = `  - { id: avito, type: avito, ${client}, apiRoot: "${api.root}" }\n`;
    whole = await startWhole({ yaml, clock, env: { PUBLIC_URL: 'https://desk.example.com' } });
    await until(() => api.subscriptions.length === 1, 'a webhook is registered');
  });
  afterEach(async () => {
    await whole.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  const ticketsOf = async () => (await whole.api<List<Ticket>>('/tickets')).data;
  const messagesOf = async (ticketId: string) => (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
  const eventsOf = async () => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data;
  const count = async (outcome: string) => (await eventsOf()).filter((one) => one.outcome === outcome).length;

  /** Avito tells that there is news; `path` is where it was told to. */
  async function push(path = new URL(api.subscriptions[0]!).pathname): Promise<number> {
    const body = JSON.stringify({ id: '1', payload: { type: 'message', value: { content: { text: 'forged' } } } });
    const headers = { 'content-type': 'application/json' };
    const { status } = await fetch(`${whole.running.url}${path}`, { method: 'POST', headers, body });
    return status;
  }
  /** Everything is read again. */
  async function read(): Promise<void> {
    const before = api.callsOf('GET /ratings/v1/reviews').length;
    await until(async () => {
      // Again and again: a question that was under way rests from when it was answered.
      ahead += 6 * 60_000;
      await push();
      await systemClock.sleep(300);
      return api.callsOf('GET /ratings/v1/reviews').length > before;
    }, 'it is read');
  }

  it('makes one message of a review, three revisions of three edits, and answers it once', async () => {
    const createdAt = Math.floor(Date.now() / 1000) - 600;
    const images = [{ number: 1, sizes: [{ size: '100x100', url: `${api.root}/photo` }] }];
    const one = review(1, { createdAt, images, score: 5 });
    api.reviews.push(one);
    await read();
    const ticket = await until(async () => (await ticketsOf())[0], 'a ticket');
    for (const [index, text] of ['один', 'два', 'три'].entries()) {
      Object.assign(one, { text, score: 3 - index });
      await read();
      await until(async () => (await count('revised')) === index + 1, `revision ${index + 1}`);
    }
    const [edited, ...more] = await messagesOf(ticket.id);
    assert.deepEqual([edited!.text, edited!.review?.rating, more.length], ['три', 1, 0]);
    assert.equal((await until(async () => (await messagesOf(ticket.id))[0]?.attachments[0])).name, 'photo-1.jpg');
    const { replyChannels } = await whole.api<{ replyChannels: { public: boolean }[] }>(`/tickets/${ticket.id}`);
    assert.equal(replyChannels[0]?.public, true);

    await whole.api(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { text: 'Заменим!' } });
    const answer = await until(() => one.answer ?? undefined, 'the answer');
    answer.status = 'published';
    await until(async () => {
      await read();
      return (await messagesOf(ticket.id))[1]?.delivery?.state === 'delivered';
    }, 'it is shown');
    await whole.restart();
    await read();
    await until(async () => (await count('duplicate')) >= 2, 'all is read once more');
    assert.deepEqual([(await messagesOf(ticket.id)).length, await count('revised')], [2, 3]);
    assert.equal(api.callsOf('POST /ratings/v1/answers').length, 1);
    api.reviews.length = 0;
    await until(async () => {
      await read();
      return (await messagesOf(ticket.id))[0]?.deletedAt !== null;
    }, 'it is deleted');
    assert.equal(await count('quarantined'), 0);
  });

  it('files a chat with its answers, those given by hand too, once, told by a webhook that is not believed', async () => {
    api.now = clock.now();
    api.write('u2i-1');
    ahead += 4000;
    assert.equal(await push(), 200);
    const ticket = await until(async () => (await ticketsOf())[0], 'a ticket');
    assert.equal(ticket.customer.name, 'Гульдан');
    await whole.api(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { text: 'Чем помочь?' } });
    await until(() => api.marked.length === 1, 'it goes out');
    api.now = clock.now() + 1000;
    api.write('u2i-1', { author_id: USER, direction: 'out', content: { text: 'Из приложения' } });
    ahead += 4000;
    await until(async () => {
      await push();
      return (await messagesOf(ticket.id)).length === 3;
    }, 'what was written by hand');
    const texts = (await messagesOf(ticket.id)).map(({ text }) => text);
    assert.deepEqual(texts, ['Здравствуйте', 'Чем помочь?', 'Из приложения']);
    assert.deepEqual((await ticketsOf()).length, 1);
    for (const path of ['/webhooks/avito', '/webhooks/avito/guessed']) assert.ok((await push(path)) >= 400, path);
  });

  it('takes a review that is filed a hundred times for one message, without a revision', async () => {
    const channel = await avito.open(avito.config.parse(CLIENT), fakeContext({ id: 'avito' }));
    const answer = { id: 7, text: 'Спасибо!', status: 'published', createdAt: 1_795_300_000 };
    const filing = await openFiling({ threads: 'topic' });
    const outcomes = new Map<string, number>();
    for (let i = 0; i < 100; i++) {
      const images = [{ number: 1, sizes: [{ size: '1x1', url: `https://img.k.avito.ru/${i}.jpg` }] }];
      const payload = samplePayload(
        review(1, { answer, images, createdAt: 1_795_200_000 }),
        { 'avito-part': 'review' },
        { method: 'POLL', receivedAt: 1_795_348_800_000 + i },
      );
      for (const { outcome } of await filing.file(await channel.normalize(payload))) {
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    }
    const expected = { ticket_created: 1, appended: 1, receipt: 100, duplicate: 198 };
    assert.deepEqual(Object.fromEntries(outcomes), expected);
    await filing.close();
  });
});
