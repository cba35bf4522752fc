import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { Reply } from '../src/core/connector.ts';
import { PermanentError } from '../src/core/errors.ts';
import { answerOf, fileOf, PROOF, question, SENDER, senderTo, type GivenSender } from './fakes/mail-answers.ts';
import { sampleMessage, sampleTicket } from './fakes/samples.ts';
import { decodeWords, headersOf, partsOf, startSink, type SmtpSink } from './fakes/smtp.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

async function sink(options: Parameters<typeof startSink>[0] = {}): Promise<SmtpSink> {
  const started = await startSink(options);
  opened.push(started);
  return started;
}

async function mailOf(reply: Reply, given: GivenSender = {}) {
  const server = await sink();
  await senderTo(server.port, {}, given).reply(reply);
  assert.equal(server.mails.length, 1);
  const [mail] = server.mails;
  const raw = mail!.raw;
  return { ...mail!, headers: headersOf(raw), parts: partsOf(raw) };
}

const text = (parts: ReturnType<typeof partsOf>, type: string) =>
  parts.find(({ headers }) => headers.get('content-type')!.startsWith(type))!.content.toString();

describe('An answer by mail', () => {
  it('goes to the customer, from the channel, as an answer to what he wrote', async () => {
    const reply = answerOf();
    const { from, to, headers, helo } = await mailOf(reply);
    assert.deepEqual([from, to, helo], ['support@example.test', ['olena@example.com'], 'example.test']);
    assert.equal(decodeWords(headers.get('from')!), 'Підтримка <support@example.test>');
    assert.equal(headers.get('to'), 'olena@example.com');
    assert.equal(headers.get('subject'), 'Re: Order 4512');
    const id = `t1001.${PROOF}.tsk_1@example.test`;
    assert.equal(headers.get('message-id'), `<${id}>`);
    assert.equal(headers.get('in-reply-to'), '<q-1@mail.example.com>');
    assert.equal(headers.get('references'), '<q-0@mail.example.com> <q-1@mail.example.com>');
    assert.equal(headers.get('date'), 'Sun, 22 Nov 2026 10:00:00 +0000');
    for (const name of ['reply-to', 'cc', 'bcc', 'auto-submitted', 'precedence']) assert.ok(!headers.has(name), name);
    assert.deepEqual(reply.parts, [id]);
  });

  it('has a text and an HTML part with the question quoted, its markup shown as text', async () => {
    const { headers, parts } = await mailOf(answerOf());
    assert.match(headers.get('content-type')!, /^multipart\/alternative/);
    assert.equal(
      text(parts, 'text/plain'),
      ['It comes tomorrow.', '', 'On November 22, 2026, Olena wrote:', '> Where is it?', '> <b>Now</b>'].join('\r\n'),
    );
    const html = text(parts, 'text/html');
    assert.match(html, /^<div>It comes tomorrow\.<\/div>/);
    assert.match(html, /<blockquote[^>]*><div>Where is it\?<br>\s+&lt;b&gt;Now&lt;\/b&gt;<\/div><\/blockquote>$/);
  });

  it('says who wrote what is quoted in the language of the conversation', async () => {
    for (const [language, expected] of [
      ['uk', '22 листопада 2026 р. Olena пише:'],
      ['ru', '22 ноября 2026 г. Olena пишет:'],
      ['de', 'On November 22, 2026, Olena wrote:'],
    ] as const) {
      const { parts } = await mailOf(answerOf({ ticket: sampleTicket({ language }) }));
      assert.ok(text(parts, 'text/plain').includes(expected), expected);
    }
  });

  it('carries words in any script, long lines and lines with a dot unchanged', async () => {
    const words = `Добрий день! ${'довго '.repeat(400)}\n.\n..\nкінець 👍`;
    const { parts, raw } = await mailOf(
      answerOf({ message: sampleMessage({ text: words }), answers: question({ text: '' }) }),
    );
    assert.equal(text(parts, 'text/plain').replaceAll('\r\n', '\n'), words);
    for (const line of raw.split('\r\n')) assert.ok(line.length <= 998, `${line.length}`);
  });

  it('keeps an agent’s HTML and cuts an endless quote', async () => {
    const message = sampleMessage({ text: 'bold', html: '<p><b>bold</b></p>' });
    const { parts } = await mailOf(answerOf({ message, answers: question({ text: 'y'.repeat(50_000) }) }));
    assert.match(text(parts, 'text/html'), /^<p><b>bold<\/b><\/p><br>/);
    assert.ok(text(parts, 'text/plain').length < 21_000);
    assert.match(text(parts, 'text/plain'), /\[…\]$/);
  });

  it('has one Re: before the subject, however many there were', async () => {
    for (const subject of ['Re: RE: Order', 'AW: Re[2]: Order', 'Re: Відп: Order', 'Order', 'reORDER:'])
      assert.equal(
        decodeWords((await mailOf(answerOf({ answers: question({ subject }) }))).headers.get('subject')!),
        subject === 'reORDER:' ? 'Re: reORDER:' : 'Re: Order',
      );
    const { headers } = await mailOf(answerOf({ answers: question({ subject: null }) }));
    assert.equal(headers.get('subject'), 'Re: Order 4512', 'the ticket’s');
  });

  it('folds the References of a long conversation', async () => {
    const references = Array.from({ length: 20 }, (_, n) => `<message-number-${n}-of-a-long-one@mail.example.com>`);
    const answers = question({ externalId: references[19]! });
    const { headers, raw } = await mailOf(answerOf({ references, answers }));
    assert.deepEqual(headers.get('references')!.split(' '), references);
    for (const line of raw.split('\r\n')) assert.ok(line.length <= 100, line);
  });

  it('answers mail that came without a Message-ID, or with one that is none', async () => {
    for (const externalId of [
      'sha256:0a1b',
      '<a b@example.com>',
      `<${'x'.repeat(2000)}@example.com>`,
      '<a@b>\r\nBcc: x@y',
    ]) {
      const { headers } = await mailOf(answerOf({ answers: question({ externalId }), references: [externalId] }));
      assert.ok(!headers.has('in-reply-to') && !headers.has('references') && !headers.has('bcc'), externalId);
    }
  });

  it('asks to be answered at an address that carries the ticket, where that is set', async () => {
    const { headers } = await mailOf(answerOf(), { sender: { ...SENDER, plusAddressing: true } });
    assert.equal(headers.get('reply-to'), `support+t1001.${PROOF}@example.test`);
  });

  it('brings its files, streamed, with safe names', async () => {
    const files = [
      fileOf('att_1', 'рахунок "№1".pdf', 'application/pdf'),
      fileOf('att_2', 'a\r\nBcc: x@example.com.txt'),
    ];
    const bytes = Buffer.alloc(300_000, 'abc\r\n.\r\n');
    const { parts, headers, to } = await mailOf(
      answerOf({
        message: sampleMessage({ attachments: files }),
        open: async () => Readable.from([bytes.subarray(0, 100_001), bytes.subarray(100_001)]),
      }),
    );
    assert.match(headers.get('content-type')!, /^multipart\/mixed/);
    const [pdf, txt] = parts.slice(-2);
    assert.ok(pdf!.content.equals(bytes));
    assert.ok(txt!.content.equals(bytes));
    const name = decodeURIComponent(pdf!.headers.get('content-disposition')!.replaceAll(/; filename\*1\*=/g, ''));
    assert.equal(name, `attachment; filename*0*=utf-8''рахунок "№1".pdf`);
    assert.match(txt!.headers.get('content-disposition')!, /a Bcc: x@example\.com\.txt/);
    assert.deepEqual(to, ['olena@example.com']);
  });
});

describe('An automatic answer by mail', () => {
  const message = sampleMessage({ text: 'We have got it.', automatic: 'auto_reply' });

  it('says so, and quotes nothing', async () => {
    const { headers, parts } = await mailOf(answerOf({ message }));
    assert.equal(headers.get('auto-submitted'), 'auto-replied');
    assert.equal(headers.get('x-auto-response-suppress'), 'All');
    assert.equal(headers.get('precedence'), 'bulk');
    assert.equal(text(parts, 'text/plain'), 'We have got it.');
    assert.equal(headers.get('subject'), 'Re: Order 4512');
  });

  it('repeats no words to somebody in whose name others may have written', async () => {
    const answers = question({ verified: false, subject: 'You have won https://example.com' });
    const { headers } = await mailOf(answerOf({ message, answers }));
    assert.equal(headers.get('subject'), 'Re: #1001');
  });
});

describe('Hostile words in an answer by mail', () => {
  const EVIL = 'x\r\nBcc: victim@example.org\r\n\r\nbody\u2028\u0000';

  it('never become headers or recipients', async () => {
    const answers = question({
      subject: EVIL,
      author: { name: EVIL, identifiers: question().author.identifiers },
    });
    const { headers, to, raw } = await mailOf(answerOf({ answers, id: EVIL }), {
      sender: { ...SENDER, fromName: EVIL },
    });
    assert.deepEqual(to, ['olena@example.com']);
    assert.ok(!headers.has('bcc'));
    assert.equal(decodeWords(headers.get('subject')!), 'Re: x Bcc: victim@example.org body');
    assert.doesNotMatch(raw, /^Bcc/m);
  });

  it('are no address that mail goes to', async () => {
    const server = await sink();
    for (const value of [
      '"a"@example.com',
      'a,b@example.com',
      'a b@example.com',
      'a(b)@example.com',
      '<a>@example.com',
      'a\u0000@example.com',
      'a@b@example.com',
      `${'a'.repeat(65)}@example.com`,
      `a@${'b'.repeat(253)}`,
      'olena',
    ]) {
      const author = { name: null, identifiers: [{ kind: 'email', value, trust: 'observed' as const }] };
      await assert.rejects(senderTo(server.port).reply(answerOf({ answers: question({ author }) })), PermanentError);
    }
    const nobody = { name: null, identifiers: [{ kind: 'phone', value: '+380671234567', trust: 'verified' as const }] };
    await assert.rejects(senderTo(server.port).reply(answerOf({ answers: question({ author: nobody }) })), /e-mail/);
    await assert.rejects(senderTo(server.port).reply(answerOf({ answers: undefined })), /nobody wrote/);
    assert.equal(server.connections, 0);
  });

  it('don’t make the channel write to itself', async () => {
    for (const value of ['help@example.test', 'support+t1.x@example.test']) {
      const author = { name: null, identifiers: [{ kind: 'email', value, trust: 'observed' as const }] };
      await assert.rejects(senderTo(1).reply(answerOf({ answers: question({ author }) })), /come back/);
    }
  });
});
