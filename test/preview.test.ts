import assert from 'node:assert/strict';
import type { Delivery } from '../src/core/destination.ts';
import { NotFoundError, PermanentError, RateLimitedError } from '../src/core/errors.ts';
import { createPreview } from '../src/dispatch/preview.ts';
import { message } from './fakes/filing.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

describe('What a destination would be sent', () => {
  let out: Outgoing;
  beforeEach(async () => {
    out = await openOutgoing([]);
  });
  afterEach(() => out.close());

  const preview = (id: string, what: { ticketId: string; messageId?: string }) =>
    createPreview({
      store: out.store,
      endpointOf: (each) => out.endpoints.get(each),
      openAttachment: () => Promise.reject(new Error('no file is read')),
    })(id, what);
  const shown = ({ ticket, customer, message: about }: Delivery) => ({
    method: 'POST',
    url: 'https://desk.example.com',
    body: [ticket.id, customer.identifiers.map(({ value }) => value), about.text],
  });

  it('is shown for the first message of a ticket, or the one that is named', async () => {
    out.addDestination('desk', { preview: shown });
    const [first] = await out.file(message('telegram|1', { text: 'one' }));
    const ticketId = first!.ticketId!;
    await out.file(message('telegram|1', { text: 'two' }));
    const last = async (id: string) => (await out.store.read.messages(id, { limit: 9 })).data.at(-1)!.id;
    assert.deepEqual((await preview('desk', { ticketId })).body, [ticketId, ['1'], 'one']);
    const named = await preview('desk', { ticketId, messageId: await last(ticketId) });
    assert.deepEqual(named.body, [ticketId, ['1'], 'two']);
    const other = (await out.file(message('telegram|2', { text: 'x' })))[0]!;
    const elsewhere = { ticketId, messageId: await last(other.ticketId!) };
    await assert.rejects(preview('desk', elsewhere), NotFoundError);
  });

  it('is refused where there is nothing to show', async () => {
    const ticketId = (await out.file(message('telegram|1')))[0]!.ticketId!;
    out.addDestination('mute', {});
    out.addDestination('shut', undefined, { problem: 'wrong token' });
    out.addDestination('desk', { preview: shown });
    out.addChannel('chat', {});
    await assert.rejects(preview('mute', { ticketId }), PermanentError);
    await assert.rejects(preview('shut', { ticketId }), RateLimitedError);
    for (const id of ['chat', 'nobody']) await assert.rejects(preview(id, { ticketId }), NotFoundError);
    await assert.rejects(preview('desk', { ticketId: 'tkt_9' }), NotFoundError);
  });
});
