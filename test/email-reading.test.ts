import assert from 'node:assert/strict';
import { text as textOf } from 'node:stream/consumers';
import type { Mail } from '../src/connectors/email/mail.ts';
import type { EnvelopeInput } from '../src/core/envelope.ts';
import readWorker from '../src/connectors/email/read-worker.ts';
import { createReader } from '../src/connectors/email/read.ts';
import { fakeContext } from './fakes/context.ts';

const receivedAt = Date.parse('2026-11-22T10:00:00Z');
const reader = createReader({ address: 'support@example.com', aliases: ['help@example.com'] }, fakeContext());
const payload = (mail: string, headers: Record<string, string> = {}) => ({
  endpointId: 'mail',
  receivedAt,
  method: 'STREAM',
  url: '',
  headers,
  body: Buffer.from(mail, 'latin1'),
});

async function read(mail: string, headers?: Record<string, string>): Promise<EnvelopeInput> {
  const items = await reader.normalize(payload(mail, headers));
  assert.equal(items.length, 1);
  assert.equal(items[0]!.kind, 'message', JSON.stringify(items));
  return items[0] as EnvelopeInput;
}

const bytes = (hex: string) => Buffer.from(hex, 'hex').toString('latin1');
const withText = (type: string, body: string) => `From: a@example.test\nContent-Type: ${type}\n\n${body}`;

describe('reading mail', () => {
  // "Привіт, де лист?" or the like, as each charset writes it.
  const charsets: readonly (readonly [string, string, string, string])[] = [
    [
      'windows-1252',
      'text/plain; charset=windows-1252',
      '4974206973209335208094209620766f696ce0',
      'It is “5 €” – voilà',
    ],
    [
      'windows-1252 called Latin 1',
      'text/plain; charset=iso-8859-1',
      '497420636f737473203520802096206d6f7265',
      'It costs 5 € – more',
    ],
    ['windows-1251', 'text/plain; charset=windows-1251', 'cff0e8e2b3f2', 'Привіт'],
    ['code page 866', 'text/plain; charset=cp866', '8fe0a8a2a5e2', 'Привет'],
    ['KOI8-R', 'text/plain; charset=koi8-r', 'f0d2c9d7c5d4', 'Привет'],
    ['ISO-2022-JP', 'text/plain; charset=iso-2022-jp', '1b2442467c4b5c1b2842', '日本'],
    ['UTF-8 called windows-1251', 'text/plain; charset=windows-1251', Buffer.from('Привіт').toString('hex'), 'Привіт'],
    ['windows-1251 called Latin 1', 'text/plain; charset=iso-8859-1', 'cff0e8e2e5f2', 'Привет'],
    ['windows-1251 without a name', 'text/plain', 'cff0e8e2e5f2', 'Привет'],
    ['KOI8 called UTF-8', 'text/plain; charset=utf-8', 'f0d2c9d7c5d4', 'Привет'],
    ['French without a name', 'text/plain', Buffer.from('déjà vu à Noël', 'latin1').toString('hex'), 'déjà vu à Noël'],
    [
      'a hard blank without a name',
      'text/plain',
      Buffer.from('Hello: \xa0 you', 'latin1').toString('hex'),
      'Hello: \xa0 you',
    ],
  ];
  for (const [name, type, hex, expected] of charsets) {
    it(`reads ${name}`, async () => {
      assert.equal((await read(withText(type, bytes(hex)))).text, expected);
    });
  }

  it('never turns UTF-7 into markup, nor what only calls itself a charset', async () => {
    const names = ['utf-7', 'UTF7', 'unicode-1-1-utf-7', 'csUnicode11UTF7', 'utf-7-imap', 'base64', 'hex'];
    for (const name of names) {
      for (const letter of ['', bytes('e9'), bytes('c3a9')]) {
        const body = name === 'base64' || name === 'hex' ? '<i>é</i>' : '+ADw-script+AD4-';
        const { text, html } = await read(withText(`text/html; charset=${name}`, `${body} ${letter}`));
        assert.ok(!/<script|PGk|3c69/.test(`${text}${html}`), `${name}: ${html}`);
      }
    }
  });

  it('reads what it can of a charset that nobody knows, that is named twice, or that is switched all the time', async () => {
    for (const [type, hex, expected] of [
      ['x-nothing-like-it', 'c0e1e2 776f7264', /word/],
      ['"=?x?q?y?="', 'e9 776f7264', /word/],
      ['koi8-r; charset=windows-1251', 'f0d2c9d7c5d4', /^Привет$|^ртЙЧЕФ$/],
      ['koi8-u', 'f0d2c9d7a6d4', /^Привіт$/],
      ['iso-2022-jp', `${'1b2442 1b2842'.repeat(20_000)} 776f7264`, /word$/],
      ['utf-8', `cff0e8e2e5f2 ${Buffer.from('Ок').toString('hex')} 776f7264`, /word/],
    ] as const) {
      const { text } = await read(withText(`text/plain; charset=${type}`, bytes(hex.replaceAll(' ', ''))));
      assert.match(text, expected, type);
    }
  });

  it('reads of one text no more than 16 MB', async () => {
    const large = Buffer.from(`From: a@example.test\n\n${'x'.repeat(17_000_000)}`);
    const { remarks } = (await readWorker({ bytes: new Uint8Array(large) })) as Mail;
    assert.deepEqual(remarks, [`the text is cut: 1000000 of ${16 * 1024 * 1024} characters`]);
  });

  it('is given some seconds and not for ever, and more the larger a mail is (C46)', async () => {
    const asked: number[] = [];
    const { offload } = fakeContext();
    const rules = { address: 'support@example.com', aliases: [] };
    const timed = createReader(rules, {
      offload(work) {
        asked.push(work.deadlineMs);
        return offload(work);
      },
    });
    for (const size of [1, 1_000_000]) {
      await timed.normalize(payload(`From: a@example.test\n\n${'x '.repeat(size)}`));
    }
    const [small = 0, large = 0] = asked;
    assert.ok(small >= 1000 && small < large && large < 60_000, asked.join());
  });

  it('shows a mail in a mail as a file and no more where that one is large or can’t be read', async () => {
    const attached = async (body: string) => {
      const part = `--a\nContent-Type: message/rfc822\n\nFrom: b@example.test\nSubject: inside\n${body}\n--a--\n`;
      const mail = `From: a@example.test\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nhi\n${part}`;
      return (await readWorker({ bytes: new Uint8Array(Buffer.from(mail)) })) as Mail;
    };
    assert.equal((await attached('\nhello')).attached?.subject, 'inside');
    const parts = `Content-Type: multipart/mixed; boundary=b\n\n${'--b\n\n\n'.repeat(1500)}--b--`;
    for (const body of [`\n${'x'.repeat(70)}`.repeat(80_000), parts]) {
      const { attached: shown, files, text } = await attached(body);
      assert.deepEqual([shown, files.length, text.trim()], [undefined, 1, 'hi']);
    }
  });

  it('gives the bytes of a file as they were, line ends included', async () => {
    const content = '<invoice>\r\n</invoice>\r\n';
    const mail = `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\nContent-Type: application/xml; name=a.xml\r\n\r\n${content}\r\n--b--\r\n`;
    const { attachments } = await read(mail);
    const [file] = attachments!;
    assert.equal(await textOf(await reader.download({ ...file!, inline: false }, payload(mail))), content);
  });

  it('gives the whole of a file that was encoded line by line', async () => {
    const lines = Array.from({ length: 3000 }, (_, at) => `line ${at}\n`);
    const encoded = lines.map((line) => Buffer.from(line).toString('base64')).join('\n');
    const mail = `Content-Type: text/csv; name=a.csv\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n${encoded}\n`;
    const { attachments = [] } = await read(mail);
    assert.equal(attachments[0]!.size, lines.join('').length);
    const file = await reader.download(attachments[0]!, payload(mail));
    assert.equal(await textOf(file), lines.join(''));
  });

  it('reads to the end what has more tags than it takes apart, or deeper ones', async () => {
    for (const body of ['<i>a</i> '.repeat(30_000), '<div>'.repeat(30_000)]) {
      const { text } = await read(withText('text/html', `1 < 2 <b>begin</b>${body}<b>end</b>`));
      assert.match(text, /^1\s+2\s+begin[^<]*end$|^1 < 2 begin[^<]*end$/);
    }
  });

  it('keeps a stranger who names somebody’s mail out of that conversation', async () => {
    const mail = (from: string) => `From: ${from}\nMessage-ID: <x@y>\nReferences: <first@example.com>\n\nhi`;
    const [own, strange] = [await read(mail('olena@example.com')), await read(mail('eve@example.test'))];
    assert.deepEqual(own.thread?.references, strange.thread?.references);
    assert.notEqual(own.thread?.externalId, strange.thread?.externalId);
  });

  it('takes neither our own answer nor a mail in our name for a customer', async () => {
    const ours = 'From: help@example.com\nMessage-ID: <t7.0123456789abcdefghijklmnop.rpl@example.com>\n\nhi';
    const forged = 'From: Boss <support@example.com>\nMessage-ID: <x@y>\n\nhi';
    for (const mail of [ours, forged]) {
      assert.equal((await reader.normalize(payload(mail)))[0]?.kind, 'ignored');
    }
    const sent = { 'x-gm-labels': '["\\\\Sent"]' };
    assert.equal((await read(forged, sent)).direction, 'outbound');
    const [again] = await reader.normalize(payload(ours, sent));
    assert.equal(again?.kind, 'ignored', 'it is there already, wherever it lies now');
  });

  it('believes no date that cannot be', async () => {
    const at = async (date: string) => (await read(`From: a@example.test\nDate: ${date}\n\nhi`)).occurredAt;
    assert.equal(await at('Sun, 22 Nov 2026 11:00:00 +0200'), Date.parse('2026-11-22T09:00:00Z'));
    assert.equal(await at('Sun, 22 Nov 2026 09:00:00'), Date.parse('2026-11-22T09:00:00Z'));
    for (const date of ['Sun, 22 Nov 2099 11:00:00 +0200', '1 Jan 1970', 'soon', '']) {
      assert.equal(await at(date), receivedAt, date);
    }
  });

  it('passes no half file off as a whole one, where only the beginning of a mail is read', async () => {
    const file = (name: string, end: string) =>
      `--b\nContent-Type: application/pdf; name=${name}\nContent-Transfer-Encoding: base64\n\nQUJD\n${end}`;
    const begin = 'Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhi\n';
    const cut = { 'x-imap-size': '50000000' };
    const names = ({ attachments = [] }: EnvelopeInput) => attachments.map(({ name }) => name);
    const half = await read(`${begin}${file('a.pdf', '')}${file('b.pdf', '')}`, cut);
    assert.deepEqual([half.text, names(half)], ['hi', ['a.pdf']]);
    assert.match(half.fields!.remarks!, /files are left in the mailbox; only the beginning is read/);
    const inText = await read(`${begin}${file('a.pdf', '')}--b\n\nmore`, cut);
    assert.deepEqual([inText.text, names(inText)], ['hi\n\nmore', ['a.pdf']]);
    assert.deepEqual(names(await read(`${begin}${file('a.pdf', '')}`)), ['a.pdf'], 'what nobody cut is whole');
  });

  it('says what it leaves out', async () => {
    const many = '--b\nContent-Disposition: attachment; filename=a\n\nx\n'.repeat(201);
    const { attachments, fields } = await read(`Content-Type: multipart/mixed; boundary=b\n\n${many}--b--\n`);
    assert.equal(attachments?.length, 200);
    assert.equal(fields?.remarks, '1 of 201 files are left out');
    const long = await read(withText('text/plain', 'x'.repeat(1_000_001)));
    assert.deepEqual(
      [long.text.length, long.fields?.remarks],
      [1_000_000, 'the text is cut: 1000000 of 1000001 characters'],
    );
  });
});
