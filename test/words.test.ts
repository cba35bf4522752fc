import assert from 'node:assert/strict';
import type { Message } from '../src/core/ticket.ts';
import { toPlainText, toSafeHtml } from '../src/core/words.ts';
import { sampleMessage, sampleTicket } from './fakes/samples.ts';

const AT = '2026-11-22T09:00:00.000Z';
const ticket = sampleTicket({ id: 'tkt_1', subject: 'Order' });
const customer = {
  id: 'cus_1',
  name: 'Olena',
  locale: null,
  identifiers: [],
  createdAt: AT,
  updatedAt: AT,
  mergedInto: null,
};
const message = (given: Partial<Message> = {}) =>
  sampleMessage({
    author: { name: 'Olena', identifiers: [{ kind: 'email', value: 'olena@example.com', trust: 'verified' }] },
    channel: { id: 'support', type: 'email' },
    kind: 'message',
    direction: 'inbound',
    verified: true,
    subject: 'Order',
    text: 'Where is it?',
    textFull: null,
    html: null,
    fields: {},
    attachments: [],
    automatic: null,
    revision: 0,
    occurredAt: AT,
    deletedAt: null,
    delivery: null,
    ...given,
  });
const file = (id: string, given: Partial<Message['attachments'][number]> = {}) => ({
  id,
  name: `${id}.pdf`,
  mediaType: 'application/pdf',
  size: 2048,
  state: 'stored' as const,
  error: null,
  inline: false,
  url: `/api/v1/attachments/${id}`,
  ...given,
});
const wording = { publicUrl: 'https://desk.example.com', max: 60_000 };
const said = (given: Partial<Message> = {}, transcript: readonly Message[] = []) => ({
  ticket,
  customer,
  message: message(given),
  transcript,
});
const plain = (given: Partial<Message>, extra: object = {}) => toPlainText(said(given), { ...wording, ...extra });

describe('A message in words', () => {
  it('begins with who wrote when through which channel', () => {
    assert.equal(plain({}), 'Olena (olena@example.com) · email support · 2026-11-22 09:00 UTC\n\nWhere is it?');
    const nobody = {
      author: { name: null, identifiers: [{ kind: 'telegram', value: '7', trust: 'verified' as const }] },
    };
    assert.match(plain(nobody), /^7 · email support/);
  });

  it('says what it is when a customer did not just write it', () => {
    const outbound = { direction: 'outbound' as const, author: { name: 'Ivan', identifiers: [] } };
    assert.match(plain(outbound), /^Answer · Ivan · /);
    assert.match(plain({ ...outbound, author: { name: null, identifiers: [] } }), /^Answer · An agent · /);
    assert.match(plain({ ...outbound, kind: 'note', channel: null }), /^Note · Ivan · 2026/);
    const failed = { ...outbound, delivery: { state: 'failed' as const, error: 'he has blocked us' } };
    assert.match(plain(failed), /^Answer that did NOT reach the customer: he has blocked us · Ivan/);
    assert.match(plain({ kind: 'form' }), /^Form · /);
    assert.match(plain({ revision: 2 }), /UTC · edited\n/);
    assert.match(plain({ verified: false }), /UTC · sender not verified\n/);
    assert.match(plain({ automatic: 'bounce' }), /written by a machine: bounce/);
  });

  it('shows nothing of what its author took back', () => {
    const text = plain({ deletedAt: AT });
    assert.match(text, /taken back by its author/);
    assert.doesNotMatch(text, /Where is it/);
  });

  it('tells of calls and reviews', () => {
    const call = { outcome: 'missed', direction: 'inbound', from: '+1', to: '+2', waitedSec: 12.4 } as const;
    const text = plain({ kind: 'call', text: '', call: { ...call, transcript: 'Hello?' } });
    assert.match(text, /^Call, missed · /);
    assert.match(text, /\nTranscript:\nHello\?\n/);
    assert.match(text, /\nCall from \+1 to \+2, waited 12 s$/);
    const review = { rating: 2, maxRating: 5, product: 'Kettle', url: 'https://shop.example.com/r/1' };
    const told = plain({ kind: 'review', review });
    assert.match(told, /^Review 2 of 5 · /);
    assert.match(told, /About: Kettle\nThe review: https:\/\/shop\.example\.com\/r\/1$/);
    const html = toSafeHtml(said({ review: { ...review, url: 'javascript:alert(1)' } }), wording);
    assert.doesNotMatch(html, /href="javascript/);
  });

  it('names what the sender only typed, as not proven', () => {
    const author = {
      name: 'Olena',
      identifiers: [{ kind: 'email', value: 'boss@example.com', trust: 'claimed' as const }],
    };
    const text = plain({ author });
    assert.match(text, /^Olena · /);
    assert.match(text, /Typed by the sender, not proven: boss@example\.com$/);
  });

  it('names what it does not show, with a link', () => {
    const link = 'https://desk.example.com/t/tkt_1';
    assert.ok(plain({ textFull: 'Where is it?\n> old' }).endsWith(`Quoted text and signature are left out: ${link}`));
    assert.ok(plain({ text: '', html: '<b>x</b>' }).endsWith(`Formatted content that can not be shown here: ${link}`));
    assert.match(plain({ subject: 'Another' }), /Subject: Another/);
    assert.match(plain({ fields: { order: 'A-7\nb' } }), /order: A-7 b$/);
  });

  it('names the files that do not go along, and why', () => {
    const attachments = [
      file('sent'),
      file('big', { size: 3 * 1024 * 1024 }),
      file('late', { state: 'waiting', size: null }),
      file('gone', { state: 'failed', error: 'expired' }),
    ];
    const lines = plain({ attachments }, { unsent: new Map([['big', 'larger than 1 MB']]) })
      .split('\n')
      .slice(4);
    assert.deepEqual(lines, [
      'File big.pdf (3.0 MB) is not attached: larger than 1 MB: https://desk.example.com/api/v1/attachments/big',
      'File late.pdf is still on its way and follows',
      'File gone.pdf (2 KB) could not be had: expired',
    ]);
  });

  it('comes after what was said before it', () => {
    const before = [message({ text: 'first', attachments: [file('a')] }), message({ text: 'second' })];
    const text = toPlainText(said({ text: 'third' }, before), wording);
    const parts = text.split('\n\n--------\n\n');
    assert.deepEqual(
      parts.map((part) => part.split('\n')[2]),
      ['first', 'second', 'third'],
    );
    assert.match(parts[0]!, /File a\.pdf \(2 KB\): https:/);
  });

  it('as HTML shows nothing of others as markup', () => {
    const html = toSafeHtml(
      said({
        text: '<script>1</script>\n"&',
        author: { name: '<i>O</i>', identifiers: [] },
        fields: { '<b>': '<img src=x>' },
        html: '<script>2</script>',
        attachments: [file('a', { name: '"><script>3</script>' })],
      }),
      { ...wording, unsent: new Map([['a', '<u>']]) },
    );
    assert.deepEqual(
      [...html.matchAll(/<\/?([a-z]+)/g)].map(([, tag]) => tag).filter((tag) => !/^(p|b|br|ul|li|a)$/.test(tag!)),
      [],
    );
    assert.match(html, /&lt;script&gt;1&lt;\/script&gt;<br>&quot;&amp;/);
  });

  for (const [name, render] of Object.entries({ text: toPlainText, HTML: toSafeHtml })) {
    it(`as ${name} is cut visibly, with a link, and never longer than it may be`, () => {
      const text = '&😀я'.repeat(20_000);
      const fields = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`field ${n}`, 'x'.repeat(2000)]));
      const earlier = [1, 2, 3].map((n) => message({ text: `${n} ${'y'.repeat(700)}` }));
      for (const max of [2000, 5000, 50_000, 100_000]) {
        const out = render(said({ text, fields }, earlier), { ...wording, max });
        assert.ok(Buffer.byteLength(out) <= max, `${Buffer.byteLength(out)} of ${max}`);
        assert.ok(out.isWellFormed());
        assert.match(out, /Cut here: \d+ more characters\. The whole text/);
        assert.match(out, /\d+ more lines/);
        assert.match(out, /https:\/\/desk\.example\.com\/t\/tkt_1/);
      }
      assert.ok(Buffer.byteLength(render(said({ text }), { ...wording, max: 50_000 })) > 49_900);
      for (let max = 1500; max < 3000; max += 5) {
        const cut = render(said({ text }, earlier), { ...wording, max });
        assert.ok(Buffer.byteLength(cut) <= max && cut.isWellFormed(), `${max}`);
        const short = render(said({ text: 'now' }, earlier), { ...wording, max });
        assert.ok(Buffer.byteLength(short) <= max, `${max}`);
        const missing = Number(/(\d) earlier message/.exec(short)?.[1] ?? 0);
        assert.equal(missing + [...short.matchAll(/\d y{700}/g)].length, 3, `what is not shown is counted: ${max}`);
      }
      const some = render(said({ text: 'now' }, earlier), { ...wording, max: 1300 });
      assert.match(some, /2 earlier messages are not shown here/);
      assert.match(some, /3 yyy/);
      assert.ok(Buffer.byteLength(some) <= 1300);
    });
  }
});
