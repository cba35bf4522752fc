import assert from 'node:assert/strict';
import { readOtrsSchema } from './fakes/otrs-schema.ts';
import { skipUnless } from './skip.ts';

describe('the check of what is sent to OTRS', () => {
  it('bites: a field that is corrupted, invented or left out is found', async function () {
    const schema = readOtrsSchema();
    skipUnless(this, schema !== undefined, 'OTOBO’s schema is not beside the repository');
    const Article = { Subject: 's', Body: 'b', ContentType: 'text/plain; charset=utf-8', IsVisibleForCustomer: 1 };
    const Ticket = { Title: 't', Queue: 'q', State: 'new', Priority: '3 normal', CustomerUser: 'c' };
    const good = { UserLogin: 'u', Password: 'p', Ticket, Article };
    assert.deepEqual(await schema!.problems([['TicketCreate', good]]), []);
    for (const wrong of [
      { ...good, Article: { ...Article, CommunicationChannel: 'Chat' } },
      { ...good, Article: { ...Article, Colour: 'red' } },
      { ...good, Ticket: { ...Ticket, PendingTime: { Diff: 'soon' } } },
      { ...good, Attachment: [{ Content: 'eA==', ContentType: 'a/b' }] },
      { UserLogin: 'u', Password: 'p', Ticket },
    ]) {
      assert.notDeepEqual(await schema!.problems([['TicketCreate', wrong]]), [], JSON.stringify(wrong));
    }
  });
});
