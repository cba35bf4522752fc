import assert from 'node:assert/strict';
import type { CanReply, Channel, Reply } from '../src/core/connector.ts';
import type { EnvelopeInput } from '../src/core/envelope.ts';
import { PermanentError } from '../src/core/errors.ts';
import type { Message } from '../src/core/ticket.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const AGENT = 'user:usr_1';

describe('a review', () => {
  let out: Outgoing;
  let names: string[];
  let can: CanReply;
  beforeEach(async () => {
    names = [];
    can = { allowed: true, public: true, longest: 350, replaces: true };
    const channel: Omit<Channel, 'normalize'> = {
      async reply(reply: Reply) {
        await reply.partSent(names.shift()!, { replaces: true });
      },
      canReply: () => can,
    };
    out = await openOutgoing([], {}, channel);
    out.addChannel('shop', channel);
  });
  afterEach(() => out.close());

  const author = { name: 'Olha', identifiers: [{ kind: 'shop', value: 'olha', trust: 'verified' as const }] };
  const review = (rest: Partial<EnvelopeInput> = {}, rating = 2): EnvelopeInput =>
    ({
      kind: 'review',
      externalId: 'r1',
      revision: 1,
      occurredAt: 1,
      sender: author,
      thread: { externalId: 'r1' },
      text: 'It broke',
      review: { rating, maxRating: 5, product: 'Kettle', order: '77', language: 'uk' },
      ...rest,
    }) as EnvelopeInput;
  const elsewhere = (id: string): EnvelopeInput => ({
    kind: 'message',
    externalId: id,
    occurredAt: 2,
    direction: 'outbound',
    sender: author,
    thread: { externalId: 'r1' },
    text: id,
    replaces: true,
  });
  const file = async (item: EnvelopeInput) => (await out.file(item, 'shop'))[0]!;
  const answer = async (ticketId: string, text: string) => {
    names.push(`far ${text}`);
    const { messageId } = await out.desk.reply(ticketId, { text }, AGENT);
    await out.pass(2 * SECOND);
    return messageId;
  };
  const stateOf = async (id: string) => (await out.store.read.message(id))!.delivery!.state;
  const messages = async (ticketId: string): Promise<readonly Message[]> =>
    (await out.store.read.messages(ticketId, { limit: 50 })).data;

  it('keeps its rating, product, order and language', async () => {
    const { ticketId } = await file(review());
    const [{ review: kept }] = (await messages(ticketId!)) as [Message];
    assert.deepEqual(kept, { rating: 2, maxRating: 5, product: 'Kettle', order: '77', language: 'uk' });
  });

  it('opens a solved ticket again once it says something else, and only then', async () => {
    const { ticketId } = await file(review());
    const status = async () => (await out.store.read.ticket(ticketId!))!.status;
    for (const [closed, next] of [
      ['solved', review({ revision: 2, text: 'It broke again' })],
      ['closed', review({ revision: 3, text: 'It broke again' }, 1)],
      ['pending', review({ revision: 4, text: 'Still' }, 1)],
    ] as const) {
      await out.desk.updateTicket(ticketId!, { status: closed }, AGENT);
      assert.equal((await file(next)).outcome, 'revised');
      assert.equal(await status(), 'open', closed);
    }
    await out.desk.updateTicket(ticketId!, { status: 'solved' }, AGENT);
    assert.equal((await file(review({ revision: 5, text: 'Still' }, 1))).outcome, 'duplicate');
    assert.equal(await status(), 'solved', 'a newer time alone says nothing');
    const news = (await out.changes()).filter(({ type }) => type === 'ticket.status_changed');
    assert.deepEqual(news.at(-2)!.data, { ...news.at(-2)!.data, from: 'pending', to: 'open' });
  });

  it('shows which answer stands, where the vendor keeps one', async () => {
    const ticketId = (await file(review())).ticketId!;
    const first = await answer(ticketId, 'a');
    assert.equal(await stateOf(first), 'sent');
    const second = await answer(ticketId, 'b');
    assert.deepEqual([await stateOf(first), await stateOf(second)], ['replaced', 'sent']);
    const changed = (await out.changes()).filter(
      ({ type, data }) => type === 'message.updated' && data.message?.id === first,
    );
    assert.equal(changed.length, 1);
    await file(elsewhere('given elsewhere'));
    assert.equal(await stateOf(second), 'replaced');
    // Its own echo, and that of one that is replaced, change nothing.
    assert.equal((await file(elsewhere('far a'))).outcome, 'duplicate');
    const [, , , last] = await messages(ticketId);
    assert.equal(last!.delivery!.state, 'sent');
  });

  it('leaves alone what was said to others, and what never went out', async () => {
    const ticketId = (await file(review())).ticketId!;
    const failed = await answer(ticketId, 'a');
    await out.file({ kind: 'receipt', externalId: 'far a', state: 'failed', occurredAt: 3 }, 'shop');
    const first = await answer(ticketId, 'b');
    // The same person's other review, in the same ticket.
    assert.equal((await file(review({ externalId: 'r2', thread: { externalId: 'r2' } }))).ticketId, ticketId);
    const other = await answer(ticketId, 'c');
    assert.deepEqual([await stateOf(failed), await stateOf(first), await stateOf(other)], ['failed', 'sent', 'sent']);
    await file({ ...elsewhere('given elsewhere'), replaces: false });
    assert.equal(await stateOf(first), 'sent', 'where all answers are kept');
    await file(elsewhere('given elsewhere, too'));
    assert.deepEqual(
      [await stateOf(failed), await stateOf(first), await stateOf(other)],
      ['failed', 'replaced', 'sent'],
    );
  });

  it('takes no answer that is longer than the vendor lets it be', async () => {
    const ticketId = (await file(review())).ticketId!;
    await assert.rejects(out.desk.reply(ticketId, { text: 'x'.repeat(351) }, AGENT), (error: Error) => {
      assert.ok(error instanceof PermanentError);
      assert.match(error.message, /351 characters.*shop takes 350/);
      return true;
    });
    names.push('far');
    await out.desk.reply(ticketId, { text: 'x'.repeat(350) }, AGENT);
    const [shown] = await out.desk.replyChannels(ticketId);
    assert.deepEqual([shown!.public, shown!.longest, shown!.replaces], [true, 350, true]);
  });
});
