import assert from 'node:assert/strict';
import { wildberries } from '../src/connectors/wildberries/wildberries.ts';
import { systemClock } from '../src/core/clock.ts';
import type { Clock } from '../src/core/clock.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeContext } from './fakes/context.ts';
import { openFiling } from './fakes/filing.ts';
import { samplePayload } from './fakes/samples.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { feedback, startWildberries, TOKEN } from './fakes/wildberries.ts';
import type { FakeWildberries } from './fakes/wildberries.ts';

type List<T> = { readonly data: readonly T[] };

describe('Wildberries, through a whole gateway against a stand-in', () => {
  let api: FakeWildberries;
  let whole: Whole;
  let ahead = 0;
  const clock: Clock = { now: () => Date.now() + ahead, sleep: (ms, signal) => systemClock.sleep(ms, signal) };
  beforeEach(async () => {
    ahead = 0;
    api = await startWildberries();
    const roots = `feedbacksRoot: "${api.root}", chatsRoot: "${api.root}"`;
    const yaml = `  - { id: wb, type: wildberries, token: "${TOKEN}", ${roots} }\n`;
    whole = await startWhole({ yaml, clock });
  });
  afterEach(async () => {
    await whole.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  const ticketsOf = async () => (await whole.api<List<Ticket>>('/tickets')).data;
  const messagesOf = async (ticketId: string) => (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
  const outcomesOf = async () =>
    (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.map(({ outcome }) => outcome);
  const count = async (outcome: string) => (await outcomesOf()).filter((one) => one === outcome).length;
  /** Reviews are read again. */
  async function read(): Promise<void> {
    // One of both lists at a time, whichever is next.
    for (const list of [1, 2]) {
      const before = api.callsOf('GET /api/v1/feedbacks').length;
      await until(async () => {
        // Again and again: a question that was under way rests from when it was answered.
        ahead += 6 * 60_000;
        await systemClock.sleep(1200);
        return api.callsOf('GET /api/v1/feedbacks').length > before;
      }, `list ${list} is read`);
    }
  }

  it('makes one message of a review, three revisions of three edits, and answers it once', async () => {
    const createdDate = new Date(Date.now() - 600_000).toISOString();
    const photo = `${api.root}/photo/1.jpg`;
    const first = feedback('f1', { createdDate, photoLinks: [{ fullSize: photo, miniSize: photo }] });
    api.feedbacks.set('f1', first);
    const ticket = await until(async () => (await ticketsOf())[0], 'a ticket');
    const [review] = await messagesOf(ticket.id);
    assert.deepEqual([review!.kind, review!.review?.rating, review!.review?.product], ['review', 5, 'Кружка']);
    for (const [index, text] of ['один', 'два', 'три'].entries()) {
      api.feedbacks.set('f1', { ...first, text, productValuation: 3 - index });
      await read();
      await until(async () => (await count('revised')) === index + 1, `revision ${index + 1}`);
    }
    const [edited, ...more] = await messagesOf(ticket.id);
    assert.deepEqual([edited!.text, edited!.review?.rating, more.length], ['три', 1, 0]);
    assert.equal((await until(async () => (await messagesOf(ticket.id))[0]?.attachments[0])).name, 'photo-1.jpg');

    const { replyChannels } = await whole.api<{ replyChannels: { public: boolean; longest: number }[] }>(
      `/tickets/${ticket.id}`,
    );
    const [way] = replyChannels;
    assert.deepEqual([way?.public, way?.longest], [true, 5000]);
    await whole.api(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { text: 'Заменим!' } });
    const answer = await until(() => api.feedbacks.get('f1')?.answer ?? undefined, 'the answer');
    assert.equal(answer.text, 'Заменим!');
    answer.state = 'wbRu';
    await read();
    const answered = await until(async () => {
      await read();
      const [, one] = await messagesOf(ticket.id);
      return one?.delivery?.state === 'delivered' && one;
    }, 'it is shown');
    assert.equal(answered.text, 'Заменим!');
    await whole.restart();
    await read();
    await until(async () => (await count('duplicate')) >= 2, 'all is read once more');
    assert.deepEqual([(await messagesOf(ticket.id)).length, await count('revised')], [2, 3]);
    assert.equal(api.callsOf('POST /api/v1/feedbacks/answer').length, 1);

    api.feedbacks.delete('f1');
    await read();
    await until(async () => {
      await read();
      return (await messagesOf(ticket.id))[0]?.deletedAt !== null;
    }, 'it is deleted');
    assert.equal(await count('quarantined'), 0);
  });

  it('files a chat with its answers, those given by hand too, once', async () => {
    const chatID = '1:1e265a58';
    api.chats.push({ chatID, replySign: `${chatID}:sign` });
    const said = (eventID: string, text: string, more: object = {}) => ({
      ...{ chatID, eventID, eventType: 'message', message: { text }, source: 'ios', addTimestamp: Date.now() },
      ...{ sender: 'client', clientID: '186132', clientName: 'Алёна' },
      ...more,
    });
    api.events.push(said('e1', 'Здравствуйте!'));
    const ticket = await until(async () => (await ticketsOf())[0], 'a ticket');
    assert.equal(ticket.customer.name, 'Алёна');
    await whole.api(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { text: 'Чем помочь?' } });
    await until(() => api.sent.length === 1, 'it goes out');
    api.events.push(
      said('e2', 'Чем помочь?', { sender: 'seller', source: 'seller-public-api' }),
      said('e3', 'Из портала', { sender: 'seller', source: 'seller-portal' }),
    );
    ahead += 20_000;
    await until(async () => (await messagesOf(ticket.id)).length === 3, 'what was written by hand');
    const texts = (await messagesOf(ticket.id)).map(({ text }) => text);
    assert.deepEqual(texts, ['Здравствуйте!', 'Чем помочь?', 'Из портала']);
  });

  it('takes a review that is filed a hundred times for one message, without a revision', async () => {
    const channel = await wildberries.open(wildberries.config.parse({ token: TOKEN }), fakeContext({ id: 'wb' }));
    const answer = { text: 'Спасибо!', state: 'wbRu', editable: true };
    const body = feedback('f1', { answer, photoLinks: [{ fullSize: 'https://a.wbbasket.ru/1.jpg' }] });
    const filing = await openFiling({ threads: 'topic' });
    const outcomes = new Map<string, number>();
    for (let i = 0; i < 100; i++) {
      const payload = samplePayload(body, { 'wildberries-part': 'feedback' }, { receivedAt: 1_795_348_800_000 + i });
      for (const { outcome } of await filing.file(await channel.normalize(payload))) {
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    }
    const expected = { ticket_created: 1, appended: 1, receipt: 100, duplicate: 198 };
    assert.deepEqual(Object.fromEntries(outcomes), expected);
    await filing.close();
  });
});
