import assert from 'node:assert/strict';
import { systemClock } from '../src/core/clock.ts';
import type { Clock } from '../src/core/clock.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { CLIENT, KEY, NO_PLAN, review, said, startOzon } from './fakes/ozon.ts';
import type { FakeOzon } from './fakes/ozon.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';

type List<T> = { readonly data: readonly T[] };

describe('Ozon, through a whole gateway against a stand-in', () => {
  let api: FakeOzon;
  let whole: Whole;
  let ahead = 0;
  const clock: Clock = { now: () => Date.now() + ahead, sleep: (ms, signal) => systemClock.sleep(ms, signal) };
  beforeEach(async () => {
    ahead = 0;
    api = await startOzon();
    // Not in the plan; the others go on.
    api.end('/v1/question/list', ...Array.from({ length: 50 }, () => NO_PLAN));
    const yaml = `  - { id: oz, type: ozon, clientId: "${CLIENT}", apiKey: "${KEY}", apiRoot: "${api.root}" }\n`;
    whole = await startWhole({ yaml, clock });
  });
  afterEach(async () => {
    await whole.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  const ticketsOf = async () => (await whole.api<List<Ticket>>('/tickets')).data;
  const messagesOf = async (ticketId: string) => (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
  const count = async (outcome: string) =>
    (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.filter((event) => event.outcome === outcome).length;
  async function read(): Promise<void> {
    const before = api.callsOf('/v2/review/list').length;
    await until(async () => {
      // Again and again: a question that was under way rests from when it was answered.
      ahead += 6 * 60_000;
      await systemClock.sleep(1200);
      return api.callsOf('/v2/review/list').length > before;
    }, 'the list is read');
  }

  it('makes one message of a review, three revisions of three edits, and answers it once', async () => {
    const one = review('r', { published_at: new Date(Date.now() - 600_000).toISOString() });
    api.reviews.set('r', one);
    const ticket = await until(async () => (await ticketsOf())[0], 'a ticket');
    for (const [index, text] of ['один', 'два', 'три'].entries()) {
      one.text = text;
      await read();
      await until(async () => (await count('revised')) === index + 1, `revision ${index + 1}`);
    }
    const [edited, ...more] = await messagesOf(ticket.id);
    assert.deepEqual([edited!.kind, edited!.text, edited!.review?.rating, more.length], ['review', 'три', 5, 0]);

    await whole.api(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { text: 'Заменим!' } });
    await until(() => api.callsOf('/v1/review/comment/create')[0], 'the answer');
    await whole.restart();
    for (let i = 0; i < 2; i++) await read();
    await until(async () => api.callsOf('/v1/review/comment/list').length > 0, 'what stands below it is read');
    await read();
    const texts = (await messagesOf(ticket.id)).map(({ text }) => text);
    assert.deepEqual(texts, ['три', 'Заменим!']);
    assert.equal(api.callsOf('/v1/review/comment/create').length, 1);

    api.reviews.delete('r');
    await read();
    await until(async () => {
      await read();
      return (await messagesOf(ticket.id))[0]?.deletedAt !== null;
    }, 'it is deleted');
    assert.equal(await count('quarantined'), 0);
  });

  it('files a chat with its answers, those given by hand too, once', async () => {
    const now = () => new Date(Date.now() + ahead).toISOString();
    api.chats.set('c', { type: 'BUYER_SELLER', messages: [said('m1', now(), ['Здравствуйте!'])] });
    const ticket = await until(async () => (await ticketsOf())[0], 'a ticket');
    await whole.api(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { text: 'Чем помочь?' } });
    await until(() => api.callsOf('/v1/chat/send/message')[0], 'it goes out');
    const chat = api.chats.get('c')!.messages;
    chat.splice(1, 1, said('m2', now(), ['Чем помочь?'], 'Seller'), said('m3', now(), ['Из портала'], 'Seller'));
    await until(async () => {
      ahead += 20_000;
      await systemClock.sleep(300);
      return (await messagesOf(ticket.id)).length === 3;
    }, 'what was written by hand');
    const texts = (await messagesOf(ticket.id)).map(({ text }) => text);
    assert.deepEqual(texts, ['Здравствуйте!', 'Чем помочь?', 'Из портала']);
  });
});
