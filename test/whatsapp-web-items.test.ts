import assert from 'node:assert/strict';
import { toItems } from '../src/connectors/whatsapp-web/items.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import { samplePayload } from './fakes/samples.ts';
import { saying, SELF } from './fakes/whatsapp-web.ts';

const OLENA = '380501234567@c.us';
const HIDDEN = '179950657237125@lid';
const GROUP = '120363000000000001@g.us';

describe('What WhatsApp Web tells', () => {
  function itemOf(event: string, data: object, people: object = {}): ItemInput {
    const [item] = toItems(samplePayload({ event, self: SELF, people, data }));
    return item!;
  }
  const said = (more: Readonly<Record<string, unknown>> = {}, people: object = {}) =>
    itemOf('message_create', saying('Hello', more), people);
  const kindOf = (event: string, data: object) => itemOf(event, data).kind;
  const identifiersOf = (item: ItemInput) => (item.kind === 'message' ? item.sender.identifiers : undefined);

  it('proves a number only where WhatsApp names one', () => {
    const jid = { kind: 'whatsapp_jid', value: HIDDEN, trust: 'verified' };
    for (const number of [undefined, '', '380501234567', '12@c.us', `${'1'.repeat(16)}@c.us`, '380501234567@lid']) {
      assert.deepEqual(identifiersOf(said({ remote: HIDDEN }, { [HIDDEN]: { number } })), [jid], number);
    }
    assert.deepEqual(identifiersOf(said({ remote: HIDDEN }, { [HIDDEN]: { number: OLENA } })), [
      jid,
      { ...jid, value: OLENA },
      { kind: 'phone', value: '+380501234567', trust: 'verified' },
    ]);
  });

  it('is nothing to the business where it is a status, whoever it is of', () => {
    assert.equal(said().kind, 'message');
    assert.equal(said({ isStatus: true }).kind, 'ignored');
    assert.equal(said({ remote: 'status@broadcast' }).kind, 'ignored');
  });

  it('in a group is of a person, or can’t be read', () => {
    assert.equal(said({ remote: GROUP, author: OLENA }).kind, 'message');
    for (const author of [undefined, GROUP, 'status@broadcast', '1@newsletter']) {
      assert.throws(() => said({ remote: GROUP, author }), /who wrote it/, author);
    }
  });

  it('that is a reaction is of somebody else, and of a person', () => {
    const { id: msgId } = saying('Hello', { fromMe: true });
    const reaction = (senderId: string, fromMe: boolean) => {
      const { id } = saying('', { fromMe });
      return kindOf('message_reaction', { id, msgId, senderId, reaction: '👍', timestamp: 1 });
    };
    assert.equal(reaction(OLENA, false), 'reaction');
    assert.equal(reaction(OLENA, true), 'ignored');
    assert.equal(reaction(SELF, false), 'ignored');
    assert.equal(reaction(GROUP, false), 'ignored');
  });

  it('that is a call is of a customer, alone', () => {
    const call = (more: object) =>
      kindOf('call', { id: 'C1', from: OLENA, timestamp: 1, isVideo: false, isGroup: false, fromMe: false, ...more });
    assert.equal(call({}), 'call');
    assert.equal(call({ fromMe: true }), 'ignored');
    assert.equal(call({ isGroup: true }), 'ignored');
    assert.equal(call({ from: GROUP }), 'ignored');
    const log = (more: object, subtype = 'miss') => said({ type: 'call_log', _data: { subtype }, ...more }).kind;
    assert.equal(log({}), 'call');
    assert.equal(log({}, 'accepted'), 'ignored');
    assert.equal(log({ fromMe: true }), 'ignored');
    assert.equal(log({ remote: GROUP, author: OLENA }), 'ignored');
  });

  it('moves a conversation from one person’s id to another one, and nothing else', () => {
    const changed = (oldId: string, newId: string) => kindOf('contact_changed', { from: oldId, to: newId });
    assert.equal(changed(OLENA, '380670000001@c.us'), 'moved');
    assert.equal(changed(OLENA, OLENA), 'ignored');
    assert.equal(changed(GROUP, OLENA), 'ignored');
    assert.equal(changed(OLENA, GROUP), 'ignored');
  });
});
