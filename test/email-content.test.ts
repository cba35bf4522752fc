import assert from 'node:assert/strict';
import { createReader } from '../src/connectors/email/read.ts';
import type { EnvelopeInput } from '../src/core/envelope.ts';
import { fakeContext } from './fakes/context.ts';

const COLLEAGUES = { address: 'support@example.com', aliases: ['sales@example.com'], agents: ['@shop.test'] };

async function read(mail: string, settings: object = {}): Promise<EnvelopeInput> {
  const reader = createReader({ ...COLLEAGUES, ...settings }, fakeContext());
  const items = await reader.normalize({
    endpointId: 'mail',
    receivedAt: Date.parse('2026-11-22T10:00:00Z'),
    method: 'STREAM',
    url: '',
    headers: {},
    body: Buffer.from(mail),
  });
  assert.equal(items[0]?.kind, 'message', JSON.stringify(items));
  return items[0];
}

const withType = (type: string, ...body: string[]) =>
  ['From: olena@example.com', `Content-Type: ${type}`, '', ...body].join('\n');
const TEXT = 'text/plain; charset=utf-8';
const QUOTED = [
  'It came today.',
  '',
  'On 22 Nov 2026, at 10:00, Support <support@example.com> wrote:',
  '> Where is it?',
];

const both = (plain: string, html: string) =>
  withType(
    'multipart/alternative; boundary=b',
    '--b',
    `Content-Type: ${TEXT}`,
    '',
    plain,
    '--b',
    'Content-Type: text/html; charset=utf-8',
    '',
    html,
    '--b--',
  );

describe('the text of a mail', () => {
  it('is the new part, with the whole beside it', async () => {
    const { text, textFull } = await read(withType(TEXT, ...QUOTED));
    assert.equal(text, 'It came today.');
    assert.equal(textFull, QUOTED.join('\n'));
  });

  it('stands alone when all of it is new', async () => {
    const envelope = await read(withType(TEXT, 'It came today.', ''));
    assert.equal(envelope.text, 'It came today.');
    assert.equal(envelope.textFull, undefined);
  });

  it('is all that there is when nothing is new', async () => {
    const { text, textFull } = await read(withType(TEXT, ...QUOTED.slice(2)));
    assert.equal(text, QUOTED.slice(2).join('\n'));
    assert.equal(textFull, undefined);
  });

  it('is empty when only a file is new, but not for a picture in a quote', async () => {
    const file = (more: string) =>
      withType(
        'multipart/mixed; boundary=b',
        '--b',
        'Content-Type: multipart/related; boundary=c',
        '',
        '--c',
        '',
        ...QUOTED.slice(2),
        '--c',
        'Content-Type: image/png',
        ...more.split('\n'),
        '',
        'x',
        '--c--',
        '--b--',
      );
    assert.equal((await read(file('Content-Disposition: attachment; filename=a.png'))).text, '');
    assert.equal((await read(file('Content-ID: <logo@example.com>'))).text, QUOTED.slice(2).join('\n'));
  });

  it('is what the program didn’t mark as quoted, where its lines don’t show it', async () => {
    const html = '<div>It came today.</div><div id="appendonsend"></div><div>Fá: Support</div><div>Where is it?</div>';
    const { text, textFull } = await read(both('It came today.\n\nFá: Support\nWhere is it?', html));
    assert.equal(text, 'It came today.');
    assert.match(textFull ?? '', /Where is it\?/);
  });

  it('has the lines of the plain form where both forms say the same', async () => {
    const html = '<div>One,<br><br><br>two</div><blockquote type="cite">Where is it?</blockquote>';
    assert.equal((await read(both('One,\n\ntwo\n\n> Where is it?', html))).text, 'One,\n\ntwo');
  });

  it('is the plain form where the other one says something else, and people are told', async () => {
    const plain = 'Please send twenty boxes with green labels before next Friday morning, thank you kindly.';
    const html =
      '<p>Transfer every remaining dollar from savings into account number nine without asking anybody else.</p><blockquote>Old</blockquote>';
    const { text, fields } = await read(both(plain, html));
    assert.equal(text, plain);
    assert.match(fields?.remarks ?? '', /say different things/);
    const same = await read(both(plain, `<p>${plain}</p>`));
    assert.equal(same.fields?.remarks, undefined);
  });
});

const FORWARD = [
  'Please help her.',
  '',
  '---------- Forwarded message ---------',
  'From: Olena Koval <Olena@Example.com>',
  'Date: Sun, Nov 22, 2026 at 10:00 AM',
  'Subject: Order 4512',
  'To: <ann@shop.test>',
  '',
  'It has not come.',
  '',
  '-- ',
  'Olena',
];

const forward = (from: string, body: readonly string[] = FORWARD) =>
  [
    `From: ${from}`,
    'Subject: Fwd: Order 4512',
    'Message-ID: <f1@shop.test>',
    `Content-Type: ${TEXT}`,
    '',
    ...body,
  ].join('\n');

describe('a mail that a colleague passes on', () => {
  for (const [who, from] of Object.entries({
    'a colleague': 'Ann <ann@shop.test>',
    'an alias of ours': 'Sales <sales@example.com>',
  })) {
    it(`is its author’s, as a claim, when it comes from ${who}`, async () => {
      const { sender, text, textFull, subject, fields, direction, thread } = await read(forward(from));
      const identifiers = [{ kind: 'email', value: 'olena@example.com', trust: 'claimed' }];
      assert.deepEqual(sender, { name: 'Olena Koval', identifiers });
      assert.equal(text, 'It has not come.');
      assert.equal(textFull, FORWARD.join('\n').trim());
      assert.equal(subject, 'Order 4512');
      assert.equal(direction, 'inbound');
      assert.equal(fields?.forwardedBy, from);
      assert.equal(fields?.forwardNote, 'Please help her.');
      assert.equal(fields?.forwardDate, 'Sun, Nov 22, 2026 at 10:00 AM');
      assert.match(thread?.externalId ?? '', /^olena@example\.com /);
    });
  }

  it('is what he wants to say, all of it, when a customer passes it on', async () => {
    const { sender, text, textFull, subject, fields } = await read(forward('bohdan@example.org'));
    assert.equal(sender.identifiers[0]?.value, 'bohdan@example.org');
    assert.equal(text, FORWARD.join('\n').trim());
    assert.equal(textFull, undefined);
    assert.equal(subject, 'Fwd: Order 4512');
    assert.equal(fields?.forwardedBy, undefined);
  });

  it('stays the sender’s where our server knows senders and didn’t prove this one', async () => {
    const mail = forward('Ann <ann@shop.test>');
    const proven = `Authentication-Results: mx.example.com; dmarc=pass header.from=shop.test\n${mail}`;
    const settings = { authServer: 'mx.example.com' };
    assert.equal((await read(mail, settings)).sender.identifiers[0]?.value, 'ann@shop.test');
    assert.equal((await read(proven, settings)).sender.identifiers[0]?.value, 'olena@example.com');
  });

  it('stays his when he passes on what a colleague wrote, or nobody who can be answered', async () => {
    for (const author of [
      'Bob <bob@shop.test>',
      'Support <support+x@example.com>',
      'Olena Koval',
      'a@b@c.test <a b@x>',
    ]) {
      const body = FORWARD.map((line) => (line.startsWith('From:') ? `From: ${author}` : line));
      const { sender } = await read(forward('Ann <ann@shop.test>', body));
      assert.equal(sender.identifiers[0]?.value, 'ann@shop.test', author);
    }
  });

  it('asks for something, and is no answer, also where our server proves who passes it on', async () => {
    const body = FORWARD.map((line) => (line.startsWith('From:') ? 'From: Olena Koval' : line));
    const proven = 'Authentication-Results: mx.example.com; dmarc=pass header.from=shop.test\n';
    const settings = { authServer: 'mx.example.com' };
    assert.equal((await read(`${proven}${forward('Ann <ann@shop.test>', body)}`, settings)).direction, 'inbound');
    const answer = 'From: ann@shop.test\nSubject: Re: Order\nIn-Reply-To: <x@example.com>\n\nIt is on its way.\n';
    assert.equal((await read(`${proven}${answer}`, settings)).direction, 'outbound');
  });

  it('is a file of an answer that it hangs on', async () => {
    const mail = (head: string) =>
      [
        `From: Ann <ann@shop.test>\nSubject: Order 4512\n${head}Content-Type: multipart/mixed; boundary=b\n`,
        `--b\nContent-Type: ${TEXT}\n\nIt is on its way.`,
        '--b\nContent-Type: message/rfc822\n\nFrom: olena@example.com\n\nWhere is it?',
        '--b--',
      ].join('\n');
    const answer = await read(mail('In-Reply-To: <x@example.com>\n'));
    assert.deepEqual([answer.text, answer.sender.identifiers[0]?.value], ['It is on its way.', 'ann@shop.test']);
    assert.equal((await read(mail(''))).sender.identifiers[0]?.value, 'olena@example.com');
  });

  it('stays the sender’s when two people say that they wrote it', async () => {
    const { sender } = await read(forward('Ann <ann@shop.test>, Eve <eve@evil.test>'));
    assert.equal(sender.identifiers[0]?.value, 'ann@shop.test');
  });
});
