import assert from 'node:assert/strict';
import { max } from '../src/connectors/max/max.ts';
import { hmac } from '../src/core/signature.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import type { Payload } from '../src/core/payload.ts';
import { fakeContext } from './fakes/context.ts';
import { SECRET, TOKEN } from './fakes/max.ts';

const AT = 1_795_341_600_123;
const anna = { user_id: 7001, first_name: 'Anna', last_name: 'Example', is_bot: false };

describe('An update of MAX', () => {
  async function itemOf(update: object): Promise<ItemInput> {
    const channel = await max.open(
      max.config.parse({ token: TOKEN, webhookSecret: SECRET }),
      fakeContext({ id: 'max' }),
    );
    const [item] = await channel.normalize({
      body: Buffer.from(JSON.stringify({ timestamp: AT, ...update })),
    } as Payload);
    return item!;
  }
  const written = (message: object, attachments: readonly object[] = []) =>
    itemOf({
      update_type: 'message_created',
      message: {
        sender: anna,
        recipient: { chat_id: 5001, chat_type: 'dialog' },
        timestamp: AT,
        body: { mid: 'mid.1', seq: 1, text: 'Hello', attachments },
        ...message,
      },
    });

  it('is no message where nobody says it, or where it is a post in a channel, whoever wrote that', async () => {
    assert.equal((await written({})).kind, 'message');
    assert.equal((await written({ sender: null })).kind, 'ignored');
    assert.equal((await written({ recipient: { chat_id: -9, chat_type: 'channel' } })).kind, 'ignored');
  });

  it('has no conversation where it names no chat', async () => {
    const item = await written({ recipient: { chat_id: null, chat_type: 'dialog' } });
    assert.ok(item.kind === 'message');
    assert.deepEqual(item.thread, { references: [] });
  });

  it('that is a button has the words of that button, and of none where it says nothing', async () => {
    const buttons = [[{ text: 'First', payload: 'a' }], [{ text: 'Second', payload: 'b' }, { text: 'Link' }]];
    const pressed = async (payload: string | undefined) => {
      const keyboard = { type: 'inline_keyboard', payload: { buttons } };
      const message = {
        recipient: { chat_id: 5001, chat_type: 'dialog' },
        timestamp: AT,
        body: { mid: 'mid.2', text: 'Which?', attachments: [keyboard] },
      };
      const callback = { timestamp: AT, callback_id: 'cb', payload, user: anna };
      const item = await itemOf({ update_type: 'message_callback', callback, message });
      return item.kind === 'message' ? item.text : item.kind;
    };
    assert.deepEqual(
      [await pressed('a'), await pressed('b'), await pressed('c'), await pressed(undefined)],
      ['First', 'Second', 'c', '[button]'],
    );
  });

  it('proves a number only where the card that MAX signed holds one', async () => {
    const phonesOn = async (tel: string) => {
      const vcf_info = `BEGIN:VCARD\r\nVERSION:3.0\r\n${tel}FN:Anna\r\nEND:VCARD\r\n`;
      const hash = hmac('sha256', TOKEN, vcf_info).toString('hex');
      const item = await written({}, [{ type: 'contact', payload: { vcf_info, hash, max_info: anna } }]);
      assert.ok(item.kind === 'message');
      return item.sender.identifiers.filter(({ kind }) => kind === 'phone').map(({ value }) => value);
    };
    assert.deepEqual(await phonesOn('TEL;TYPE=cell:79161234567\r\n'), ['+79161234567']);
    assert.deepEqual(await phonesOn('TEL:112\r\n'), []);
    assert.deepEqual(await phonesOn(`TEL:${'7'.repeat(16)}\r\n`), []);
    assert.deepEqual(await phonesOn(''), []);
  });

  it('is said by somebody, whatever of his name MAX gives', async () => {
    const nameOf = async (sender: object) => {
      const item = await written({ sender });
      return item.kind === 'message' ? item.sender.name : undefined;
    };
    assert.equal(await nameOf({ user_id: 7, name: 'As before' }), 'As before');
    assert.equal(await nameOf({ user_id: 7 }), '7');
  });
});
