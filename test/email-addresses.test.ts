import assert from 'node:assert/strict';
import {
  isMailbox,
  isOwnAddress,
  looksLikeOurs,
  messageIdFor,
  replyAddressFor,
  ticketOf,
} from '../src/core/mail-address.ts';
import { ticketProof } from '../src/normalizer/thread.ts';

const KEY = Buffer.alloc(32, 7);
const TICKET = { number: 1001, proof: ticketProof(KEY, 1001) };
const OTHER = { number: 1002, proof: ticketProof(KEY, 1002) };
const SUPPORT = 'support@example.test';

describe('A ticket in mail addresses', () => {
  const messageId = messageIdFor(TICKET, 'tsk_01k9', SUPPORT);
  const replyAddress = replyAddressFor(TICKET, SUPPORT)!;

  it('comes back from the Message-ID and from the reply address, with its proof', () => {
    assert.equal(messageId, `t1001.${TICKET.proof}.tsk_01k9@example.test`);
    assert.deepEqual(ticketOf([], [`<${messageId}>`]), TICKET);
    assert.deepEqual(ticketOf([], [messageId]), TICKET);
    assert.deepEqual(ticketOf([replyAddress], []), TICKET);
  });

  it('survives mail servers that change the case', () => {
    assert.deepEqual(ticketOf([replyAddress.toUpperCase()], []), TICKET);
    assert.deepEqual(ticketOf([], [messageId.toUpperCase()]), TICKET);
    assert.deepEqual(ticketOf([replyAddress.toLowerCase()], []), TICKET);
  });

  it('is read from the address before the references, and from the newest of those', () => {
    const other = messageIdFor(OTHER, 'tsk_2', SUPPORT);
    assert.deepEqual(ticketOf([replyAddress], [other]), TICKET);
    assert.deepEqual(ticketOf(['ann@example.com'], [other, 'x@example.com', messageId, 'y@example.com']), TICKET);
  });

  it('is in nothing that others make', () => {
    const { proof } = TICKET;
    const strangers = [
      'support+t1001@example.test',
      `support+t1001.${proof.slice(1)}@example.test`,
      `support+t0.${proof}@example.test`,
      `support+t1001.${proof}0@example.test`,
      `support+t1001.${'w'.repeat(26)}@example.test`,
      `t1001.${proof}`,
      `${'+'.repeat(10_000)}t1001.${proof}@example.test`,
      '',
      '@',
    ];
    for (const each of strangers) assert.equal(ticketOf([each], [each]), undefined, each);
    assert.equal(ticketOf([], [`t1001.${proof}@example.test`]), undefined, 'without what makes it unique');
  });

  it('stands in no address that mail servers would cut', () => {
    assert.equal(replyAddressFor(TICKET, `${'a'.repeat(40)}@example.test`), undefined);
    assert.ok(replyAddressFor(TICKET, `${'a'.repeat(25)}@example.test`));
  });

  it('has a Message-ID that a strange task id can’t break', () => {
    assert.doesNotMatch(messageIdFor(TICKET, 'a>\r\nBcc: x@example.com', SUPPORT), /[\s<>:]/);
  });
});

describe('An address', () => {
  it('is ours as it stands, in any case, and with anything behind a plus', () => {
    const own = ['support@example.test', 'info+sales@example.test'];
    for (const each of ['Support@Example.test', 'support+t1.x@example.test', 'info+sales@example.test']) {
      assert.ok(isOwnAddress(each, own), each);
    }
    for (const each of ['info@example.test', 'support@example.com', 'xsupport@example.test', '+@example.test', '']) {
      assert.ok(!isOwnAddress(each, own), each);
    }
  });

  it('can be written to when it is one mailbox and nothing else', () => {
    for (const each of ['ann@example.com', "o'brien+x@example.com", 'олена@приклад.укр', 'a.b-c_d@sub.example.com']) {
      assert.ok(isMailbox(each), each);
    }
    const hostile = [
      'a@b@example.com',
      '"ceo@example.com x"@example.org',
      'a@example.com,b@example.com',
      'a@example.com\r\nBcc: b@example.com',
      'a b@example.com',
      'group:a@example.com;',
      '<a@example.com>',
      'a\0@example.com',
      'a\u200b@example.com',
      'root',
      `${'a'.repeat(65)}@example.com`,
      `a@${'b'.repeat(254)}`,
      'a@[127.0.0.1]',
    ];
    for (const each of hostile) assert.ok(!isMailbox(each), each);
  });

  it('of the form of our Message-IDs is told from others', () => {
    assert.ok(looksLikeOurs(`<${messageIdFor(TICKET, 'tsk_1', SUPPORT)}>`));
    assert.ok(!looksLikeOurs('<CAB-1@mail.example.com>'));
  });
});
