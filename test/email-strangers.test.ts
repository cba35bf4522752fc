import assert from 'node:assert/strict';
import { itemsOf } from '../src/connectors/email/envelope.ts';
import type { Mail } from '../src/connectors/email/mail.ts';
import readMail from '../src/connectors/email/read-worker.ts';
import { rules } from '../src/connectors/email/rules.ts';
import type { Message } from '../src/core/ticket.ts';
import { z } from 'zod';
import { toEmail } from '../src/normalizer/canonical.ts';
import { openFiling, type Filing } from './fakes/filing.ts';

const given = z.object(rules).parse({});
const HELLO = '\r\n\r\nhello\r\n';

/** Cases of section C of docs/hardening.md: one mail each, read and filed by the product. */
describe('A mail from a stranger', () => {
  let filing: Filing;
  before(async () => {
    const known = { ...given, agents: ['@agents.test'], authServer: undefined, addresses: ['support@example.com'] };
    filing = await openFiling({
      threads: 'topic',
      channel: {
        normalize: async (payload) =>
          itemsOf((await readMail({ bytes: new Uint8Array(payload.body) })) as Mail, payload, known),
      },
    });
  });
  after(() => filing.close());

  const read = async (mail: string) => (await readMail({ bytes: new Uint8Array(Buffer.from(mail, 'latin1')) })) as Mail;

  async function receive(mail: string): Promise<{ outcome: string; ticketId?: string }> {
    filing.clock.jump(1000);
    const payload = { endpointId: 'mail', receivedAt: filing.clock.now(), method: 'STREAM', url: '', headers: {} };
    const { items } = await filing.intake.receive({ ...payload, body: Buffer.from(mail, 'latin1') });
    assert.equal(items.length, 1);
    return items[0]!;
  }

  async function messageOf(mail: string): Promise<Message> {
    const { outcome, ticketId } = await receive(mail);
    assert.ok(ticketId, outcome);
    return (await filing.store.read.messages(ticketId, { limit: 50 })).data.at(-1)!;
  }

  async function reasonOf(mail: string): Promise<string> {
    assert.equal((await receive(mail)).outcome, 'quarantined');
    return (await filing.store.read.events({ outcome: 'quarantined' }, { limit: 1 })).data[0]!.reason!;
  }

  const from = async (author: string) => (await messageOf(`From: ${author}${HELLO}`)).author.identifiers[0]!;

  it('is read through a hundred multiparts, and set aside beyond a thousand (C01)', async () => {
    const nested = (depth: number) =>
      Array.from({ length: depth }, (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\r\n\r\n--b${at}\r\n`);
    assert.equal((await messageOf(`From: o@shop.test\r\n${nested(100).join('')}${HELLO}`)).text.trim(), 'hello');
    assert.match(await reasonOf(`From: o@shop.test\r\n${nested(10_000).join('')}${HELLO}`), /too many parts/);
  });

  it('is set aside with more than a thousand parts, and is read with fewer (C02)', async () => {
    const parts = (count: number) =>
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(count)}--b--`;
    assert.match((await messageOf(parts(900))).text, /^x/);
    for (const count of [1100, 100_000]) assert.match(await reasonOf(parts(count)), /too many parts: more than 1000/);
  });

  it('is one file, however many mails are within it (C03)', async () => {
    const { attachments } = await messageOf(
      `From: o@shop.test\r\n${'Content-Type: message/rfc822\r\n\r\n'.repeat(10_000)}${HELLO}`,
    );
    assert.deepEqual(
      attachments.map(({ mediaType }) => mediaType),
      ['message/rfc822'],
    );
    const within = await messageOf(
      'From: o@shop.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\nSubject: x\r\n\r\ninner\r\n--b--',
    );
    assert.deepEqual(
      [within.text, within.attachments.map(({ size }) => size)],
      ['hello', ['Subject: x\r\n\r\ninner'.length]],
      'what is attached was not said by him, and is whole',
    );
  });

  it('loses no text to boundaries that never end, are long or begin alike (C04)', async () => {
    const long = 'x'.repeat(1000);
    for (const mail of [
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello',
      `Content-Type: multipart/mixed; boundary=${long}\r\n\r\n--${long}\r\n\r\nhello\r\n--${long}--`,
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\nhello\r\n--bb--\r\n--b--',
      'Content-Type: multipart/mixed; boundary*0=b; boundary*1=c\r\n\r\n--bc\r\n\r\nhello\r\n--bc--',
    ]) {
      assert.match((await messageOf(`From: o@shop.test\r\n${mail}\r\n`)).text, /hello/, mail.slice(0, 80));
    }
  });

  it('loses neither text nor file where its boundary is missing, wrong, or where nobody looks for one (C04)', async () => {
    const file = 'Content-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment\r\n\r\n1,2\r\n';
    const body = (boundary: string) => `\r\n\r\n--${boundary}\r\n\r\nhello\r\n--${boundary}\r\n${file}--${boundary}--`;
    const word = '=?us-ascii?q?b?=';
    const split = [
      `multipart/mixed; boundary="${word}"${body(word)}`,
      `text/plain; boundary=b${body('b')}`,
      `multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\nhello\r\n--b\r\n${file}--b--`,
    ];
    for (const mail of split) {
      const { text, attachments, fields } = await messageOf(`From: o@shop.test\r\nContent-Type: ${mail}\r\n`);
      const told = [text, attachments.map(({ name }) => name), fields.remarks];
      assert.deepEqual(told, ['hello', ['a.csv'], undefined], mail);
    }
    // What can't be told apart is shown as it stands.
    for (const type of ['', '; boundary=x', '; boundary=""', `; boundary="${word}"`, '; boundary=a; boundary=b']) {
      const mail = `From: o@shop.test\r\nContent-Type: multipart/mixed${type}${body('b')}\r\n`;
      const { text, fields } = await messageOf(mail);
      assert.match(text, /hello[^]*a\.csv[^]*1,2/, type);
      assert.match(fields.remarks!, /what looks like a part of it is none/, type);
    }
    const bare = await messageOf('Content-Type: multipart/mixed; boundary=b\r\n\r\nhello');
    assert.deepEqual([bare.text, bare.fields.remarks], ['hello', undefined]);
    assert.equal((await messageOf('Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n')).text, '');
  });

  it('says so where something like a part stands before the first boundary or behind the last (C04)', async () => {
    const file = 'Content-Type: text/csv; name=a.csv\r\n\r\n1,2\r\n';
    const mail = (before: string, after: string) =>
      `From: o@shop.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${before}\r\n--b\r\n\r\nhello\r\n--b--\r\n${after}`;
    for (const torn of [mail(file, ''), mail('', `--b\r\n${file}--b--`), mail('', file.toLowerCase())]) {
      const inner = torn.replace('From: o@shop.test\r\n', '');
      const outer = `From: o@shop.test\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n${inner}\r\n--c--`;
      for (const each of [torn, outer]) {
        const { text, fields } = await messageOf(each);
        assert.equal(text, 'hello', each);
        assert.match(fields.remarks!, /there may be more in it than is shown/, each);
      }
    }
    const usual = await messageOf(mail('This is a message in several parts. Content-Type: any', 'The end.'));
    assert.equal(usual.fields.remarks, undefined);
  });

  it('is from nobody whom we know where its author is no address (C05, C06, C08, C15)', async () => {
    assert.equal((await from('o@shop.test')).kind, 'email');
    for (const author of [
      'x'.repeat(300_000),
      'a(c)'.repeat(250_000),
      'a@a@a@shop.test',
      `${'x'.repeat(250)}@shop.test`,
      '"o@shop.test x"@evil.test',
      'o\0@shop.test',
    ]) {
      const { kind, value } = await from(author);
      assert.notDeepEqual([kind, value], ['email', 'o@shop.test'], author.slice(0, 40));
      assert.equal(kind, 'email_unclear', author.slice(0, 40));
    }
  });

  it('has an address that mail can go to, or none (C08, C14)', () => {
    assert.equal(toEmail(" O'Brien+x@Shop.TEST. "), "o'brien+x@shop.test");
    for (const none of [
      'a@a@shop.test',
      `a@${'b.'.repeat(125)}test`,
      `${'x'.repeat(65)}@shop.test`,
      'o o@shop.test',
      'o(x)@shop.test',
      '"o"@shop.test',
      'o\u0000@shop.test',
      'o@shop.test:25',
      'o@shop.test/x',
      'o@[127.0.0.1]',
      'o@127.0.0.1',
      'o@localhost',
      '@shop.test',
      'shop.test',
      'o@',
    ]) {
      assert.equal(toEmail(none), undefined, none);
    }
  });

  it('names at most 500 people (C07)', async () => {
    const many = Array.from({ length: 100_00 }, (_, at) => `p${at}@shop.test`).join(',\r\n ');
    const { fields } = await messageOf(`From: o@shop.test\r\nTo: ${many}${HELLO}`);
    const [, counted] = /^only the beginning of to is read; \d+ of (\d+) in to are left out$/.exec(fields.remarks!)!;
    assert.ok(Number(counted) < 6000, 'what is behind the first 100,000 characters is not even looked at');
    assert.ok(!fields.to!.includes('p501@'));
    await messageOf(`From: o@shop.test\r\nTo: ${'g:'.repeat(50_000)}${HELLO}`);
  });

  it('has a subject of at most 1,000 characters, whatever it is made of (C09)', async () => {
    for (const subject of ['=?'.repeat(500_000), '=?utf-8?Q?word?= '.repeat(20_000), 'x'.repeat(5000)]) {
      assert.ok((await messageOf(`From: o@shop.test\r\nSubject: ${subject}${HELLO}`)).subject!.length <= 1000);
      assert.ok((await read(`Subject: ${subject}${HELLO}`)).subject.length <= 1000);
    }
  });

  it('has a subject of at most 1,000 characters also where a colleague passes it on (C09)', async () => {
    const subject = `Subject: ${'x'.repeat(900)}\r\n${'y'.repeat(900)}`;
    const mail = `---------- Forwarded message ---------\r\nFrom: O <o@shop.test>\r\n${subject}\r\nTo: <ann@agents.test>${HELLO}`;
    const { author, subject: kept } = await messageOf(`From: ann@agents.test\r\nSubject: Fwd: x\r\n\r\n${mail}`);
    assert.deepEqual([author.identifiers[0]!.value, kept!.length], ['o@shop.test', 1000]);
  });

  it('has no more of a subject, a file’s name and HTML than is kept where their letters are written in several signs', async () => {
    // In canonical form it is three letters.
    const sign = '\ufb2c';
    const written = (text: string) => Buffer.from(text).toString('latin1');
    const { subject, attachments } = await messageOf(
      written(
        `From: o@shop.test\r\nSubject: ${sign.repeat(999)}\r\nContent-Type: image/png; name="${sign.repeat(999)}"\r\n\r\nx`,
      ),
    );
    assert.deepEqual([subject!.length, attachments[0]!.name.length <= 1000], [1000, true]);
    const html = `From: o@shop.test\r\nContent-Type: text/html; charset=utf-8\r\n\r\n${sign.repeat(700_000)}`;
    assert.match((await messageOf(written(html))).fields.remarks!, /the HTML is left out/);
  });

  it('is set aside with a head of more than 1 MB, and read with very many lines or ids in it (C10)', async () => {
    assert.match(
      await reasonOf(`From: o@shop.test\r\nX-A: ${'b'.repeat(2_000_000)}${HELLO}`),
      /head of a part is larger/,
    );
    assert.match(await reasonOf(`From: o@shop.test\r\n${'X-A: b\r\n'.repeat(100_000)}\r\nhello`), /head of a part/);
    await messageOf(`From: o@shop.test\r\n${'X-A: b\r\n'.repeat(2000)}\r\nhello`);
    assert.equal((await read(`From: o@shop.test\r\n${'X-A: b\r\n'.repeat(2000)}\r\nhello`)).headers.length, 1000);
    await messageOf(`From: o@shop.test\r\nReferences: ${'<a@b> '.repeat(100_000)}${HELLO}`);
    const ids = Array.from({ length: 5000 }, (_, at) => `<${at}@b>`).join(' ');
    const items = itemsOf(
      await read(`From: o@shop.test\r\nReferences: ${ids}${HELLO}`),
      { endpointId: 'mail', receivedAt: 0, method: 'STREAM', url: '', headers: {}, body: Buffer.alloc(0) },
      { ...given, authServer: undefined, addresses: [] },
    );
    const [item] = items;
    assert.ok(item?.kind === 'message' && item.thread?.references?.length === 100);
    assert.deepEqual([item.thread.references[0], item.thread.references.at(-1)], ['0@b', '4999@b']);
    const endless = `<${'x'.repeat(1000)}@b>`;
    const { threadedBy } = await messageOf(`From: o@shop.test\r\nIn-Reply-To: ${endless}\r\nSubject: endless${HELLO}`);
    assert.equal(threadedBy.rule, 'new');
  });

  it('has one line for a subject, whatever is encoded in it (C11)', async () => {
    const { subject } = await messageOf(
      `From: o@shop.test\r\nSubject: =?utf-8?Q?a=0D=0ABcc:_victim=40shop.test?=${HELLO}`,
    );
    assert.ok(!/[\r\n]/.test(subject!), subject!);
  });

  it('has headers of one line each, whatever line ends are within them (C11, C21)', async () => {
    const { headers } = await read(`X-A: a\rb\0c\r\n\td${HELLO}`);
    assert.deepEqual(headers, [{ name: 'x-a', value: 'a b c\td' }]);
  });

  it('is nobody’s when it names nobody, and no two of them are one person’s', async () => {
    const people = [];
    for (const text of ['one', 'two', 'one']) people.push(await messageOf(`Subject: ${text}\r\n\r\n${text}\r\n`));
    const [one, two] = people.map(({ author }) => author.identifiers[0]!.value);
    assert.match(one!, /^nobody /);
    assert.notEqual(one, two);
  });

  it('without a Message-ID is known again, also where the line ends changed on the way (C22)', async () => {
    const mail = 'From: o@shop.test\r\nDate: Sun, 22 Nov 2026 09:00:00 +0000\r\n\r\nonly once\r\n';
    assert.equal((await receive(mail)).outcome, 'ticket_created');
    assert.equal((await receive(mail)).outcome, 'duplicate');
    assert.equal((await receive(mail.replaceAll('\r\n', '\n'))).outcome, 'duplicate');
    assert.equal((await receive(mail.replace('once', 'twice'))).outcome, 'ticket_created');
  });

  it('is known again when it is fetched later, also without a date (C22, C23)', async () => {
    for (const date of ['Date: Sun, 22 Nov 2026 09:00:00 +0000', 'Date: soon']) {
      const mail = `From: o@shop.test\r\nMessage-ID: <${date.length}@shop.test>\r\n${date}${HELLO}`;
      assert.equal((await receive(mail)).outcome, 'ticket_created', date);
      assert.equal((await receive(mail)).outcome, 'duplicate', date);
    }
  });

  it('is not from somebody else by a line end of its own kind (C21)', async () => {
    const bare = await messageOf(`From: eve@evil.test\rFrom: o@shop.test\r\nSubject: x${HELLO}`);
    assert.equal(bare.author.identifiers[0]!.value, 'eve@evil.test');
    for (const mail of ['From: o@shop.test\n\nhello\n', 'From: o@shop.test\r\r\nSubject: a\r\r\n\r\r\nhello']) {
      const [one, two] = [await messageOf(mail), await messageOf(mail.replace('hello', 'hello '))];
      assert.deepEqual(one.author, two.author);
    }
  });
});
