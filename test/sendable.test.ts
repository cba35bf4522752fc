import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { Delivery } from '../src/core/destination.ts';
import { PermanentError } from '../src/core/errors.ts';
import { markOf } from '../src/core/mark.ts';
import { sendable, sendWithFiles } from '../src/core/sendable.ts';
import type { Message } from '../src/core/ticket.ts';

const file = (id: string, size: number | null, state = 'stored') =>
  ({ id, name: `${id}.txt`, mediaType: 'text/plain', size, state }) as Message['attachments'][number];

describe('Files for a help desk', () => {
  it('go along as long as there is room, and each that stays is named with the reason', () => {
    const attachments = [file('a', 6), file('b', 5), file('c', 4), file('d', 0), file('e', 1, 'waiting')];
    const { sending, unsent } = sendable({ attachments }, { max: 10, taker: 'Acme Desk' });
    assert.deepEqual(
      sending.map(({ id }) => id),
      ['a', 'c'],
    );
    assert.deepEqual(
      [...unsent],
      [
        ['b', 'more than 10 bytes together'],
        ['d', 'Acme Desk takes no empty files'],
      ],
    );
  });

  it('stay behind, named, where their message is refused with them, and only then', async () => {
    const delivery = { message: { attachments: [file('a', 6)] }, open: async () => Readable.from(['bytes']) };
    const sendTo = async (status: number) => {
      const tries: string[] = [];
      const sending = sendWithFiles(delivery as unknown as Delivery, { max: 10, taker: 'Acme Desk' }, async (files) => {
        tries.push(`${files.sent.length} ${[...files.unsent.values()].join()}`);
        if (tries.length === 1) throw new PermanentError('refused', { response: { status, text: '' } });
      });
      await sending.catch(() => tries.push('given up'));
      return tries;
    };
    for (const status of [400, 413, 422]) assert.deepEqual(await sendTo(status), ['1 ', '0 Acme Desk did not take it']);
    for (const status of [403, 404]) assert.deepEqual(await sendTo(status), ['1 ', 'given up']);
  });
});

describe('The mark of a message in a help desk', () => {
  it('differs for an edit, for what was taken back, and for an answer that failed', () => {
    const said = { id: 'msg_1', revision: 0, deletedAt: null, delivery: null };
    assert.equal(markOf(said), 'msg_1.0');
    assert.equal(markOf({ ...said, revision: 2 }), 'msg_1.2');
    assert.equal(markOf({ ...said, deletedAt: '2026-11-22T10:00:00.000Z' }), 'msg_1.0.deleted');
    assert.equal(markOf({ ...said, delivery: { state: 'failed', error: 'blocked' } }), 'msg_1.0.failed');
    assert.equal(markOf({ ...said, delivery: { state: 'sent', error: null } }), 'msg_1.0');
  });
});
