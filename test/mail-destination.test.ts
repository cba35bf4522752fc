import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { Delivery, Destination } from '../src/core/destination.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { answerProof, ANSWERS_KEY, awaitedAt } from '../src/core/mail-address.ts';
import { ANSWER_ABOVE } from '../src/core/mark.ts';
import type { Customer, Message } from '../src/core/ticket.ts';
import { Config } from '../src/dispatch/email/config.ts';
import { email } from '../src/dispatch/email/email.ts';
import { createSmtp } from '../src/http/smtp.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { fileOf } from './fakes/mail-answers.ts';
import { sampleMessage, sampleTicket } from './fakes/samples.ts';
import { decodeWords, headersOf, partsOf, smtpError, startSink, type SmtpSink } from './fakes/smtp.ts';

const AT = '2026-11-22T10:00:00.000Z';
const CUSTOMER: Customer = {
  id: 'cus_1',
  name: 'Олена',
  locale: null,
  identifiers: [],
  createdAt: AT,
  updatedAt: AT,
  mergedInto: null,
};

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

async function sink(options: Parameters<typeof startSink>[0] = {}): Promise<SmtpSink> {
  const started = await startSink(options);
  opened.push(started);
  return started;
}

const settings = (port: number, smtp: object = {}) => ({
  to: 'team@example.test',
  from: 'support@example.test',
  smtp: { host: '127.0.0.1', port, secure: false, ...smtp },
});

const keyOf = (id: string) => fakeContext({ id }).key(ANSWERS_KEY);

function open(port: number, given: object = {}, id = 'team'): Destination {
  const smtp = createSmtp({ clock: fakeClock(), resolve: async () => '127.0.0.1' });
  return email.open(email.config.parse({ ...settings(port), ...given }), fakeContext({ id, smtp })) as Destination;
}

const asked = (given: Partial<Message> = {}): Message =>
  sampleMessage({
    direction: 'inbound',
    channel: { id: 'bot', type: 'telegram' },
    author: { name: 'Олена', identifiers: [{ kind: 'telegram', value: '1', trust: 'verified' }] },
    text: 'Where is it?',
    ...given,
  });

const delivery = (message: Message, given: Partial<Delivery> = {}): Delivery => ({
  id: 'tsk_1',
  ticket: sampleTicket(),
  customer: CUSTOMER,
  message,
  transcript: [],
  open: async () => Readable.from(['%PDF-1.7']),
  ...given,
});

function read(server: SmtpSink, at = 0) {
  const { raw, from, to } = server.mails[at]!;
  const parts = partsOf(raw);
  const text = (type: string) => parts.find((part) => part.headers.get('content-type')!.startsWith(type))!.content;
  return {
    from,
    to,
    raw,
    headers: headersOf(raw),
    parts,
    text: text('text/plain').toString().replaceAll('\r\n', '\n'),
  };
}

async function mailOf(message: Message, given: Partial<Delivery> = {}, config: object = {}) {
  const server = await sink();
  await open(server.port, config).createTicket!(delivery(message, given));
  assert.equal(server.mails.length, 1);
  return read(server);
}

describe('A ticket by mail to a mailbox', () => {
  it('goes there from a configured address with the customer’s name, and asks for an answer', async () => {
    const { from, to, headers, text } = await mailOf(asked());
    assert.deepEqual([from, to], ['support@example.test', ['team@example.test']]);
    assert.equal(decodeWords(headers.get('from')!), 'Олена <support@example.test>');
    assert.equal(headers.get('to'), 'team@example.test');
    assert.equal(headers.get('subject'), '[#1001] Order 4512');
    assert.equal(headers.get('date'), 'Sun, 22 Nov 2026 10:00:00 +0000');
    for (const name of ['cc', 'bcc', 'in-reply-to', 'references']) assert.ok(!headers.has(name), name);
    assert.equal(text.split('\n')[0], ANSWER_ABOVE);
    assert.match(text, /goes to the customer[^]*Олена · telegram bot · 2026-11-22 10:00 UTC\n\nWhere is it\?/);
  });

  it('says that a machine sent it, so that no machine answers', async () => {
    const { headers } = await mailOf(asked());
    assert.equal(headers.get('auto-submitted'), 'auto-generated');
    assert.equal(headers.get('x-auto-response-suppress'), 'All');
  });

  it('is answered at an address that proves ticket and destination, and fits into what mail servers take', async () => {
    const at = async (number: number, config: object = {}) =>
      (await mailOf(asked(), { ticket: sampleTicket({ number }) }, config)).headers.get('reply-to')!;
    const address = await at(1001);
    assert.match(address, /^support\+a1001\.[0-9a-v]{26}@example\.test$/);
    assert.deepEqual(awaitedAt(address), { number: 1001, proof: answerProof(keyOf('team'), 1001) });
    assert.notEqual(awaitedAt(await at(1002))!.proof, awaitedAt(address)!.proof);
    assert.notEqual(answerProof(keyOf('other'), 1001), answerProof(keyOf('team'), 1001));
    assert.match(await at(1001, { answersTo: 'answers@example.com' }), /^answers\+a1001\.[0-9a-v]{26}@example\.com$/);
    const longest = await at(999_999_999, { answersTo: `${'x'.repeat(24)}@example.test` });
    assert.ok(longest.split('@')[0]!.length <= 64);
  });

  it('is one thread: every further mail names the first one', async () => {
    const server = await sink();
    const team = open(server.port);
    const ref = await team.createTicket!(delivery(asked()));
    await team.addMessage!(ref, delivery(asked({ id: 'msg_2' }), { id: 'tsk_2' }));
    const [first, second] = [read(server).headers, read(server, 1).headers];
    assert.equal(first.get('message-id'), `<${ref.externalId}>`);
    for (const name of ['in-reply-to', 'references']) assert.equal(second.get(name), `<${ref.externalId}>`);
    assert.notEqual(second.get('message-id'), first.get('message-id'));
    assert.equal(second.get('subject'), 'Re: [#1001] Order 4512');
  });

  it('has the same Message-ID at every try of the same delivery', async () => {
    let refusals = 1;
    const server = await sink({
      refuse() {
        if (refusals-- > 0) throw smtpError(451, 'later');
      },
    });
    await assert.rejects(async () => open(server.port).createTicket!(delivery(asked())), RetryableError);
    const refs = [];
    for (let n = 0; n < 2; n++) refs.push(await open(server.port).createTicket!(delivery(asked())));
    assert.deepEqual(new Set(server.mails.map(({ raw }) => headersOf(raw).get('message-id'))).size, 1);
    assert.deepEqual(refs[0], refs[1]);
  });

  it('lets nobody write headers, or an address that isn’t his into the name', async () => {
    const author = { name: 'boss@corp.example\r\nBcc: x@example.com', identifiers: [] };
    const ticket = sampleTicket({ subject: 'Hi\r\nBcc: y@example.com\r\n\r\nbody' });
    const { headers, to } = await mailOf(asked({ author }), { ticket });
    assert.deepEqual(to, ['team@example.test']);
    assert.ok(!headers.has('bcc'));
    const from = decodeWords(headers.get('from')!);
    assert.match(from, /^"?boss at corp\.example Bcc: x at example\.com"? <support@example\.test>$/);
    assert.equal(headers.get('subject'), '[#1001] Hi Bcc: y@example.com body');
  });

  it('heads notes, answers and what failed, and names no markup of others', async () => {
    const said = (given: Partial<Message>) =>
      mailOf(sampleMessage({ author: { name: 'Ivan', identifiers: [] }, ...given }));
    const note = await said({ kind: 'note', channel: null, text: 'He is a regular.' });
    assert.match(note.text, /\nNote · Ivan · [^]*He is a regular\./);
    assert.equal(decodeWords(note.headers.get('from')!), 'Ivan <support@example.test>');
    assert.match((await said({ text: 'Tomorrow.' })).text, /\nAnswer · Ivan · /);
    const failed = await said({ delivery: { state: 'failed', error: 'blocked' } });
    assert.match(failed.text, /\nAnswer that did NOT reach the customer: blocked · Ivan/);
    const { parts } = await mailOf(asked({ text: '<b>x</b>', html: '<script>alert(1)</script>' }));
    const html = parts.at(-1)!.content.toString();
    assert.ok(html.includes('&lt;b&gt;x&lt;/b&gt;') && !html.includes('<script'), html);
  });

  it('says how much it matters, and in headers what the settings name, on one line each', async () => {
    const fields = { 'X-Order': '/ticket/fields/order', Keywords: '/ticket/tags', 'X-Long': '/ticket/fields/long' };
    const order = '4512\r\nBcc: x@example.com';
    const ticket = sampleTicket({ tags: ['доставка', 'late'], fields: { order, long: 'x'.repeat(900) } });
    const { headers, to } = await mailOf(asked(), { ticket }, { fields });
    assert.equal(headers.get('x-order'), '4512 Bcc: x@example.com');
    assert.equal(decodeWords(headers.get('keywords')!), 'доставка, late');
    assert.equal(headers.get('x-long')!.replaceAll(/\s/g, ''), 'x'.repeat(500));
    assert.deepEqual([to, headers.has('bcc')], [['team@example.test'], false]);
    for (const [priority, importance] of [
      ['low', 'low'],
      ['normal', 'normal'],
      ['high', 'high'],
      ['urgent', 'high'],
    ] as const) {
      const mail = await mailOf(asked(), { ticket: sampleTicket({ priority }) });
      assert.equal(mail.headers.get('importance'), importance);
    }
  });

  it('says what happened before it that was never delivered', async () => {
    const { text } = await mailOf(asked({ text: 'second' }), { transcript: [asked({ id: 'msg_0', text: 'first' })] });
    assert.match(text, /first\n\n--------\n\n[^]*second/);
  });
});

describe('Files of a mail to a mailbox', () => {
  const files = [fileOf('att_1', 'a.pdf', 'application/pdf'), { ...fileOf('att_2', 'b.bin'), size: 900, url: '/b' }];
  const message = asked({ attachments: files });

  it('go along as far as they fit, the others are named with a link', async () => {
    const { parts, text } = await mailOf(message, {}, { maxBytes: 100 });
    assert.equal(parts.length, 3);
    assert.equal(parts.at(-1)!.content.toString(), '%PDF-1.7');
    assert.match(text, /File b\.bin \(900 bytes\) is not attached: more than 100 bytes together: https:.*\/b/);
    assert.doesNotMatch(text, /a\.pdf/);
  });

  it('are left out, and named, where the server finds the mail too large', async () => {
    let refusals = 1;
    const server = await sink({
      refuse() {
        if (refusals-- > 0) throw smtpError(552, 'too large');
      },
    });
    await open(server.port).createTicket!(delivery(message));
    const { parts, text } = read(server);
    assert.equal(parts.length, 2);
    assert.match(text, /File a\.pdf .* is not attached: too large for 127\.0\.0\.1[^]*File b\.bin .* is not attached/);
    const small = await sink({ size: 2000 });
    const large = [{ ...fileOf('att_1', 'a.pdf'), size: 5000 }];
    await open(small.port).createTicket!(delivery(asked({ attachments: large })));
    assert.match(read(small).text, /File a\.pdf .* is not attached: too large/, 'the server says its limit beforehand');
    const refusing = await sink({
      refuse() {
        throw smtpError(552, 'too large');
      },
    });
    await assert.rejects(async () => open(refusing.port).createTicket!(delivery(message)), PermanentError);
  });

  it('are left out, and named, where the server takes the mail with them for harmful', async () => {
    const server = await sink({
      refuse({ raw }) {
        if (raw.includes('Content-Disposition: attachment'))
          throw smtpError(554, '5.7.1 this kind of file is not taken');
      },
    });
    await open(server.port).createTicket!(delivery(message));
    const { parts, text } = read(server);
    assert.equal(parts.length, 2);
    assert.match(text, /File a\.pdf .* is not attached: 127\.0\.0\.1 did not take the mail with it/);
  });

  it('are left for the next try where the server takes nothing just now', async () => {
    const server = await sink({
      refuse() {
        throw smtpError(451, 'later');
      },
    });
    await assert.rejects(async () => open(server.port).createTicket!(delivery(message)), RetryableError);
    assert.equal(server.connections, 1);
  });
});

describe('A mail to a mailbox that can’t be sent', () => {
  const failure = async (port: number, smtp: object = {}) => {
    const team = open(port, { smtp: { ...settings(port).smtp, ...smtp } });
    return (team.createTicket!(delivery(asked())) as Promise<unknown>).then(
      () => assert.fail('it went out'),
      (error: unknown) => error as RetryableError,
    );
  };
  const refusing = async (code: number) =>
    failure((await sink({ onRcptTo: (_a, _s, done) => done(smtpError(code, 'no')) })).port);

  it('is tried again, given up, or waits for a new login, by what the server says', async () => {
    assert.ok((await refusing(450)) instanceof RetryableError);
    assert.ok((await refusing(421)) instanceof RateLimitedError);
    assert.ok((await refusing(550)) instanceof PermanentError);
    const server = await sink({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: (_auth, _session, done) => done(smtpError(535, 'wrong secret-password')),
    });
    const error = await failure(server.port, { user: 'support', password: 'secret-password' });
    assert.ok(error instanceof AuthExpiredError, String(error));
    assert.doesNotMatch(`${error.message} ${JSON.stringify(error)}`, /secret-password/);
  });

  it('may have gone out where the answer to its last byte is lost', async () => {
    const server = await startMute();
    opened.push(server);
    const error = await failure((server.address() as AddressInfo).port);
    assert.ok(error instanceof RetryableError && error.outcomeUnknown, String(error));
    assert.ok(email.capabilities.idempotent, 'so it goes again, with the same Message-ID');
  });
});

/** A server that takes a mail and hangs up before it says so. */
async function startMute(): Promise<Server> {
  const server = createServer((socket) => {
    let isData = false;
    socket.write('220 hi\r\n');
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const said = chunk.toString('latin1');
      if (isData) {
        if (said.includes('\r\n.\r\n')) socket.destroy();
        return;
      }
      isData = said.startsWith('DATA');
      socket.write(isData ? '354 go on\r\n' : '250 ok\r\n');
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return server;
}

describe('The settings of a mailbox as a destination', () => {
  it('refuse what would come back, or be cut on its way', () => {
    const problem = (given: object) => Config.safeParse({ ...settings(25), ...given }).error?.issues[0]?.path.join('.');
    assert.equal(problem({}), undefined);
    assert.equal(problem({ to: 'SUPPORT@example.test' }), 'to');
    assert.equal(problem({ to: 'support+team@example.test' }), 'to');
    assert.equal(problem({ answersTo: 'team@example.test' }), 'to');
    assert.equal(problem({ answersTo: `${'x'.repeat(25)}@example.test` }), 'answersTo');
    assert.equal(problem({ to: 'team@example.test, x@example.test' }), 'to');
    assert.equal(problem({ smtp: { host: 'x', user: 'y' } }), 'smtp.user');
    const headers = ['Bcc', 'Subject', 'X-', 'X-Ü', 'X-A: b', 'X-Auto-Response-Suppress', 'X-AUTO-response-suppress'];
    for (const name of headers) assert.equal(problem({ fields: { [name]: '/ticket/number' } }), 'fields', name);
  });

  it('can be tried: a test signs in, and a preview shows the mail without its proof', async () => {
    const server = await sink();
    assert.match(await open(server.port).test!(), /127\.0\.0\.1 answers/);
    const fields = { 'X-Number': '/ticket/number' };
    const team = open(server.port, { fields });
    const preview = await team.preview!(delivery(asked({ attachments: [fileOf('att_1', 'a.pdf')] })));
    assert.deepEqual([preview.method, preview.url], ['MAIL', 'mailto:team@example.test']);
    assert.match(JSON.stringify(preview.body), /"X-Number":"1001".*Where is it\?.*a\.pdf/);
    assert.ok(!JSON.stringify(preview).includes(answerProof(keyOf('team'), 1001)));
    assert.equal(server.mails.length, 0);
  });
});
