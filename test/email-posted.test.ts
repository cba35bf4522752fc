import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { email } from '../src/connectors/email/email.ts';
import type { Channel } from '../src/core/connector.ts';
import type { EnvelopeInput } from '../src/core/envelope.ts';
import { hmac } from '../src/core/signature.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { publish, received, TOPIC } from './fakes/sns.ts';
import { startWhole, type Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const NOW = Date.parse('2026-01-31T09:01:00Z');
const PASSWORD = 'sample-inbound-password';
const PROVIDERS = {
  mailgun: { provider: 'mailgun', signingKey: 'foo' },
  sendgrid: { provider: 'sendgrid', user: 'inbound', password: PASSWORD },
  postmark: { provider: 'postmark', user: 'inbound', password: PASSWORD },
  ses: { provider: 'ses', topicArn: TOPIC },
};
type Provider = keyof typeof PROVIDERS;

interface Posted {
  readonly body: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

const payloadOf = ({ body, headers = {} }: Posted) => ({
  ...{ endpointId: 'mail', receivedAt: NOW, method: 'POST', url: '/webhooks/mail' },
  ...{ body, headers },
});

async function open(provider: Provider, now = NOW): Promise<Channel> {
  const settings = { address: 'support@example.com', webhook: PROVIDERS[provider] };
  return email.open(email.config.parse(settings), fakeContext({ clock: fakeClock(now) }));
}

async function read(provider: Provider, posted: Posted): Promise<EnvelopeInput> {
  const [item, another] = await (await open(provider)).normalize(payloadOf(posted));
  assert.equal(another, undefined);
  assert.equal(item!.kind, 'message', JSON.stringify(item));
  return item as EnvelopeInput;
}

interface Part {
  readonly filename?: string;
  readonly type?: string;
  readonly value: string | Buffer;
}

const FORM = { 'content-type': 'multipart/form-data; boundary=xYzZY' };

function form(parts: Readonly<Record<string, string | Part>>): Posted {
  const pieces = Object.entries(parts).flatMap(([name, part]) => {
    const { filename, type, value } = typeof part === 'string' ? { value: part } : part;
    const file = filename === undefined ? '' : `; filename="${filename}"`;
    const head = `--xYzZY\r\nContent-Disposition: form-data; name="${name}"${file}\r\n`;
    return [`${head}${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`, value, '\r\n'];
  });
  return { headers: FORM, body: Buffer.concat([...pieces, '--xYzZY--\r\n'].map((piece) => Buffer.from(piece))) };
}

const mailgun = (headers: readonly (readonly [string, string])[], more: Readonly<Record<string, string | Part>> = {}) =>
  form({
    ...{ recipient: 'support@example.com', sender: 'olena@example.test', from: 'olena@example.test' },
    ...{ 'message-headers': JSON.stringify(headers), 'body-plain': 'hi', ...more },
  });
const FROM = ['From', 'Olena <olena@example.test>'] as const;

describe('reading what a provider makes of a mail', () => {
  it('reads a text in the charset that SendGrid says it is in', async () => {
    const value = Buffer.from('cff0e8e2b3f2', 'hex');
    const charsets = '{"text":"windows-1251"}';
    const { text, sender } = await read('sendgrid', form({ from: 'a@example.test', text: { value }, charsets }));
    assert.equal(text, 'Привіт');
    assert.equal(sender.identifiers[0]!.value, 'a@example.test');
    const koi8 = Buffer.from('f0d2c9d7c5d4', 'hex');
    const unsaid = await read('sendgrid', form({ from: 'a@example.test', text: { value: koi8 }, charsets: 'none' }));
    assert.equal(unsaid.text, 'Привет', 'without a name it is guessed as in any other mail');
    // Its last byte is a line end, for who looks at nothing else.
    const forged = JSON.stringify({ text: 'utf-8\u010a\u010aevil' });
    assert.equal((await read('sendgrid', form({ from: 'a@example.test', text: 'hi', charsets: forged }))).text, 'hi');
  });

  it('knows the ticket by the address that a mail was sent to, whatever stands in its head', async () => {
    const to = `support+t1001.${'0'.repeat(26)}@example.com`;
    const ticket = { number: 1001, proof: '0'.repeat(26) };
    const inMailgun = await read(
      'mailgun',
      mailgun([FROM, ['To', 'list@example.test']], { recipient: `x@y.test, ${to}` }),
    );
    const envelope = JSON.stringify({ to: [to], from: 'olena@example.test' });
    const inSendGrid = await read('sendgrid', form({ from: 'olena@example.test', text: 'hi', envelope }));
    const whole = await read('sendgrid', form({ email: 'From: olena@example.test\r\n\r\nhi', envelope }));
    const json = { FromFull: { Email: 'olena@example.test' }, OriginalRecipient: to, TextBody: 'hi' };
    const inPostmark = await read('postmark', { body: Buffer.from(JSON.stringify(json)) });
    for (const { thread } of [inMailgun, inSendGrid, whole, inPostmark]) assert.deepEqual(thread!.ticket, ticket);
  });

  it('takes a report of a mail server for one, though it was taken apart', async () => {
    const status = 'Final-Recipient: rfc822; olena@example.test\r\nAction: failed\r\nStatus: 5.1.1\r\n';
    const type = ['Content-Type', 'multipart/report; report-type=delivery-status; boundary="x"'] as const;
    const files = { 'attachment-1': { filename: 'status.txt', type: 'message/delivery-status', value: status } };
    const posted = mailgun([['From', 'Mail <mail@example.test>'], ['Subject', 'Report'], type], files);
    assert.equal((await read('mailgun', posted)).automatic, 'bounce');
    for (const [kind, automatic] of [
      ['; report-type=feedback-report', 'complaint'],
      ['; report-type="disposition-notification"', 'receipt'],
      ['', 'bounce'],
    ] as const) {
      const bare = mailgun([FROM, ['Content-Type', `multipart/report${kind}; boundary=x`]]);
      assert.equal((await read('mailgun', bare)).automatic, automatic, 'also where its parts were not posted');
    }
    const nobody = mailgun([FROM, ['Subject', 'Hello']], { sender: '' });
    assert.equal((await read('mailgun', nobody)).automatic, 'notification', 'from nobody, so nobody is answered');
  });

  it('lets nobody write a header, a recipient or a part of his own', async () => {
    const forged = '\r\nReply-To: evil@example.test\r\n\r\nevil';
    const posted = mailgun([FROM, ['Subject', `hi${forged}`], [`X: a\r\nCc`, 'c@example.test']], {
      sender: `a@example.test>${forged}`,
      'body-plain': 'hi\r\n--=_mixed\r\n\r\nevil\r\n--=_mixed--\r\n',
      'content-id-map': JSON.stringify({ [`<c>${forged}`]: 'attachment-1' }),
      'attachment-1': { filename: "a';x=y.txt", type: 'text/plain', value: '--=_mixed--\r\n--=_related--' },
    });
    const { fields, subject, text, attachments } = await read('mailgun', posted);
    assert.deepEqual(fields, {});
    assert.match(subject!, /^hi Reply-To: evil/);
    assert.match(text, /^hi\r?\n--=_mixed/);
    assert.deepEqual(
      attachments!.map(({ name, size, inline }) => ({ name, size, inline })),
      [{ name: "a';x=y.txt", size: 26, inline: true }],
    );
    const json = {
      FromFull: { Email: 'a@example.test>, <b@example.test', Name: 'A" <c@example.test>, "B\r\nCc: d@example.test' },
      TextBody: 'hi',
      Attachments: [{ Name: 'a', Content: 'aGk=', ContentType: 'multipart/mixed; boundary="=_mixed"\r\n\r\n' }],
    };
    const odd = await read('postmark', { body: Buffer.from(JSON.stringify(json)) });
    assert.deepEqual(
      odd.attachments!.map(({ name, mediaType, size }) => ({ name, mediaType, size })),
      [{ name: 'a', mediaType: 'application/octet-stream', size: 2 }],
    );
    // One author, whose name is odd: a second one would be told of.
    assert.deepEqual(odd.fields, { remarks: 'the name contains another address' });
    for (const FromFull of [
      { Email: 'a@example.test', Name: 'A" <c@example.test>, "B' },
      { Email: 'a@example.test>, <c@example.test', Name: 'A' },
    ]) {
      const { fields: told } = await read('postmark', {
        body: Buffer.from(JSON.stringify({ FromFull, TextBody: 'hi' })),
      });
      assert.deepEqual(told, { remarks: 'the name contains another address' });
    }
  });

  it('reads a mail that was taken apart by what its parts are now, and not by what they were', async () => {
    const was = [
      ['MIME-Version', '2.0'],
      ['Content-Type', 'text/calendar'],
      ['Content-Transfer-Encoding', 'x-odd'],
    ] as const;
    const { text, attachments } = await read(
      'mailgun',
      mailgun([FROM, ...was], {
        'attachment-1': { filename: `${'a'.repeat(999)}😀.txt`, type: 'text/plain', value: 'file' },
      }),
    );
    assert.deepEqual([text, attachments!.length, attachments![0]!.size], ['hi', 1, 4]);
  });

  it('shows an image where its mail does, whether its id stands in brackets or not', async () => {
    for (const ContentID of ['c', '<c>']) {
      const image = { Name: 'c.png', Content: 'aGk=', ContentType: 'image/png', ContentID };
      const json = { FromFull: { Email: 'a@example.test' }, HtmlBody: '<img src="cid:c">', Attachments: [image] };
      const { attachments } = await read('postmark', { body: Buffer.from(JSON.stringify(json)) });
      assert.deepEqual([attachments![0]!.cid, attachments![0]!.inline], ['c', true]);
    }
  });

  it('gives the bytes of a file as they were posted, and the same place each time', async () => {
    const bytes = Buffer.from(Array.from({ length: 40_000 }, (_, at) => at % 256));
    const posted = mailgun([FROM], { 'attachment-1': { filename: 'a.bin', type: 'application/zip', value: bytes } });
    const channel = await open('mailgun');
    const [file] = (await read('mailgun', posted)).attachments!;
    const stream = await channel.download!(file as never, payloadOf(posted));
    assert.equal(await textOf(stream.setEncoding('latin1')), bytes.toString('latin1'));
    assert.deepEqual([file!.name, file!.mediaType, file!.size], ['a.bin', 'application/zip', 40_000]);
  });

  it('takes no word from the head of the request for one of ours', async () => {
    const posted = mailgun([FROM]);
    const ours = { 'x-imap-note': 'mail_refused', 'x-imap-size': '5', 'x-smtp-mail-from': '', 'x-gm-labels': '\\Sent' };
    const plain = await read('mailgun', posted);
    assert.deepEqual(await read('mailgun', { ...posted, headers: { ...FORM, ...ours } }), plain);
  });

  it('sets aside what can’t be read, is no mail, or came by a webhook that is gone', async () => {
    const events = '{"RecordType":"Delivery","MessageID":"1"}';
    for (const [provider, body, headers] of [
      ['mailgun', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['mailgun', 'hi', {}],
      ['mailgun', 'from=a&body-plain=b&attachment-count=1', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['sendgrid', '--xYzZY\r\n', FORM],
      ['sendgrid', form({ spam_score: '1' }).body.toString(), FORM],
      ['sendgrid', '[{"event":"open"}]', { 'content-type': 'application/json' }],
      ['postmark', events, {}],
      ['postmark', '{"FromFull":1}', {}],
      ['ses', '{}', {}],
    ] as const) {
      const channel = await open(provider);
      const set = async () => channel.normalize(payloadOf({ body: Buffer.from(body), headers: { ...headers } }));
      await assert.rejects(set, { name: 'BadPayloadError' }, `${provider}: ${body}`);
    }
    const imap = { address: 'a@example.com', imap: { host: 'imap.example.com', user: 'a', password: 'b' } };
    const other = await email.open(email.config.parse(imap), fakeContext());
    await assert.rejects(async () => other.normalize(payloadOf(mailgun([FROM]))), /no longer name/);
  });
});

describe('reading what Amazon SES publishes', () => {
  const mail = 'From: Olena <olena@example.test>\r\nMessage-ID: <a@example.test>\r\n\r\nПривіт';
  const itemsOf = async (message: string, type?: Parameters<typeof publish>[2]) =>
    (await open('ses')).normalize(payloadOf(publish(message, {}, type)));

  it('reads the mail in it, in either encoding, and whom it was for', async () => {
    const base64 = await read('ses', publish(received(Buffer.from(mail).toString('base64'))));
    assert.deepEqual([base64.externalId, base64.text], ['a@example.test', 'Привіт']);
    const plain = await read('ses', publish(received(mail, { type: 'SNS', encoding: 'UTF8' })));
    assert.deepEqual(plain, base64);
    const nobody = received(mail, { type: 'SNS' }).replace('"source":"olena@example.test"', '"source":""');
    assert.equal((await read('ses', publish(nobody))).automatic, 'notification');
  });

  it('sets aside visibly what only tells of a mail in a bucket, and the end of the subscription', async () => {
    const s3 = { type: 'S3', bucketName: 'inbox', objectKey: 'incoming/1' };
    const [item] = await itemsOf(received(undefined, s3));
    assert.ok(item?.kind === 'broken' && /inbox as incoming\/1/.test(item.error), JSON.stringify(item));
    const [ended] = await itemsOf('You have chosen to deactivate', 'UnsubscribeConfirmation');
    assert.ok(ended?.kind === 'broken' && /no more mail/.test(ended.error), JSON.stringify(ended));
  });

  it('passes over by name what is no mail', async () => {
    for (const message of [
      '{"notificationType":"AMAZON_SES_SETUP_NOTIFICATION"}',
      'hi',
      '{"notificationType":"Bounce"}',
    ]) {
      const [item] = await itemsOf(message);
      assert.ok(item?.kind === 'ignored' && item.name === 'no_mail', JSON.stringify(item));
    }
    const [asked] = await itemsOf('You have chosen to subscribe', 'SubscriptionConfirmation');
    assert.ok(asked?.kind === 'ignored' && asked.name === 'topic_subscribed', JSON.stringify(asked));
  });
});

const SHARED = join(import.meta.dirname, '../../shared/fixtures/inbound-email-webhooks');
const BASIC = { authorization: `Basic ${Buffer.from(`inbound:${PASSWORD}`).toString('base64')}` };

type List<T> = { readonly data: readonly T[] };

describe('Mail from providers, through a whole gateway', () => {
  let whole: Whole;
  beforeEach(async () => {
    const channels = (['mailgun', 'sendgrid', 'postmark'] as const).map(
      (name) =>
        `  - { id: ${name}, type: email, address: ${name}@example.com, webhook: ${JSON.stringify(PROVIDERS[name])} }\n`,
    );
    whole = await startWhole({ yaml: channels.join('') });
  });
  afterEach(async () => {
    await whole.close();
  });

  async function post(channel: string, { body, headers = {} }: Posted): Promise<number> {
    const answer = await fetch(`${whole.running.url}/webhooks/${channel}?mime`, { method: 'POST', headers, body });
    await answer.arrayBuffer();
    return answer.status;
  }

  const asPostmark = (json: object): Posted => ({
    headers: { ...BASIC, 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(json)),
  });
  const signed = (fields: Readonly<Record<string, string | Part>>) => {
    const [timestamp, token] = [String(Math.floor(Date.now() / 1000)), 'sample-token'];
    const signature = hmac('sha256', 'foo', timestamp, token).toString('hex');
    return form({ ...fields, timestamp, token, signature });
  };

  const eventsOf = async () => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data;
  /** By subject. */
  async function messagesOf(): Promise<Message[]> {
    const tickets = (await whole.api<List<Ticket>>('/tickets?limit=100')).data;
    const lists = tickets.map(async ({ id }) => (await whole.api<List<Message>>(`/tickets/${id}/messages`)).data);
    return (await Promise.all(lists)).flat();
  }

  it('makes one message of a mail that comes whole and taken apart, and of one that is posted again', async () => {
    const raw =
      'From: =?utf-8?B?0J7Qu9C10L3QsA==?= <olena@example.test>\r\nTo: postmark@example.com\r\nSubject: =?utf-8?Q?=D0=94=D0=B5?= it is\r\n' +
      'Date: Sat, 31 Jan 2026 11:00:12 +0200\r\nMessage-ID: <one@example.test>\r\n\r\nWhere is it?\r\n';
    const parts = {
      ...{ FromFull: { Email: 'olena@example.test', Name: 'Олена' }, Subject: 'Де it is', TextBody: 'Where is it?' },
      ...{ Date: 'Sat, 31 Jan 2026 11:00:12 +0200', Headers: [{ Name: 'Message-ID', Value: '<one@example.test>' }] },
    };
    for (const json of [{ FromFull: null, RawEmail: raw }, parts, parts]) {
      assert.equal(await post('postmark', asPostmark(json)), 200);
    }
    const outcomes = (await eventsOf()).map(({ outcome }) => outcome);
    assert.deepEqual(outcomes.toSorted(), ['duplicate', 'duplicate', 'ticket_created']);
  });

  it('tells nobody to stop who must come again, and stores what is signed and can’t be read', async () => {
    const forged = signed({ from: 'a@example.test', 'body-plain': 'hi' });
    const other = { ...forged, body: Buffer.from(forged.body.toString().replace('sample-token', 'sample-tokem')) };
    // Mailgun gives up at 406, Postmark at 403.
    assert.equal(await post('mailgun', other), 401);
    assert.equal(await post('postmark', { ...asPostmark({}), headers: {} }), 401);
    assert.deepEqual(await eventsOf(), []);
    assert.equal(await post('postmark', asPostmark({ RecordType: 'Bounce' })), 200);
    assert.deepEqual(
      (await eventsOf()).map(({ outcome }) => outcome),
      ['quarantined'],
    );
  });

  it('takes mail of many megabytes, whole', async () => {
    const file = `${'x'.repeat(78)}\r\n`.repeat(40_000);
    const mail = `From: a@example.test\r\nMessage-ID: <l@example.test>\r\nContent-Disposition: attachment\r\n\r\n${file}`;
    assert.equal(await post('mailgun', signed({ 'body-mime': mail })), 200);
    assert.equal((await messagesOf())[0]?.attachments[0]?.size, file.length);
  });

  describe('of the collected payloads', () => {
    before(function () {
      skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    });

    /** A request as it was recorded, below a status line that belongs to nothing. */
    function recorded(name: string): Posted {
      const [head = '', ...rest] = readFileSync(join(SHARED, 'multi_mail', name), 'latin1').split(/\r?\n\r?\n/);
      const whole = readFileSync(join(SHARED, 'multi_mail', name));
      const type = /^content-type: (.*?)\r?$/im.exec(head)?.[1] ?? '';
      const start = whole.length - Buffer.byteLength(whole.toString('latin1').slice(head.length).trimStart(), 'latin1');
      assert.ok(rest.length > 0);
      return { headers: { ...BASIC, 'content-type': type }, body: whole.subarray(start) };
    }

    /** With a signature of today: what they were sent with has long expired. */
    function resigned({ headers, body }: Posted): Posted {
      const timestamp = String(Math.floor(Date.now() / 1000));
      const text = body.toString('latin1').replace(/\s+$/, '');
      const old = /(?:name="timestamp"\r\n\r\n|&timestamp=)(\d+)/.exec(text)![1]!;
      const token = /(?:name="token"\r\n\r\n|&token=)([\w-]+)/.exec(text)![1]!;
      const signature = hmac('sha256', 'foo', timestamp, token).toString('hex');
      const fresh = text
        .replace(old, timestamp)
        .replace(/(name="signature"\r\n\r\n|&signature=)\w*/, (_all, before: string) => `${before}${signature}`);
      return { ...(headers && { headers }), body: Buffer.from(fresh, 'latin1') };
    }

    const jsonOf = <T>(name: string) => JSON.parse(readFileSync(join(SHARED, name), 'utf8')) as T;

    it('refuses those of Mailgun that aren’t signed, or were long ago, and would have believed those then', async () => {
      for (const kind of ['parsed', 'raw']) {
        for (const name of ['invalid', 'missing', 'spam', 'valid']) {
          assert.equal(await post('mailgun', recorded(`mailgun/${kind}/${name}.txt`)), 401, `${kind} ${name}`);
        }
      }
      for (const kind of ['parsed', 'raw']) {
        const { headers, body } = recorded(`mailgun/${kind}/valid.txt`);
        const channel = await open('mailgun', 1_366_071_615_000);
        await channel.webhook!.verify(payloadOf({ headers: headers!, body }));
      }
    });

    it('reads every one of them whole: people, subject, time, words and files', async () => {
      const two = ['bar.txt', 'foo.txt'];
      const html = ['msg-12415-313.html', 'msg-12415-314.html'];
      const expected: Record<
        string,
        readonly [channel: Provider, posted: Posted, text: RegExp, files: readonly string[]]
      > = {
        'mailgun parsed': ['mailgun', resigned(recorded('mailgun/parsed/valid.txt')), /some italic text/, two],
        'mailgun parsed spam': ['mailgun', resigned(recorded('mailgun/parsed/spam.txt')), /GTUBE/, []],
        'mailgun raw': ['mailgun', resigned(recorded('mailgun/raw/valid.txt')), /some italic text/, two],
        'mailgun raw spam': ['mailgun', resigned(recorded('mailgun/raw/spam.txt')), /GTUBE/, []],
        sendgrid: ['sendgrid', recorded('sendgrid/valid.txt'), /some italic text/, [...two, ...html]],
        'sendgrid spam': ['sendgrid', recorded('sendgrid/spam.txt'), /GTUBE/, []],
        'sendgrid encoding': ['sendgrid', recorded('sendgrid/encoding.txt'), /^World €$/, []],
        postmark: ['postmark', recorded('postmark/valid.txt'), /some italic text/, two],
        'postmark spam': ['postmark', recorded('postmark/spam.txt'), /GTUBE/, []],
      };
      for (const [name, [channel, posted, text, files]] of Object.entries(expected)) {
        const known = new Set((await messagesOf()).map(({ id }) => id));
        assert.equal(await post(channel, posted), 200, name);
        const [message, another] = (await messagesOf()).filter(({ id }) => !known.has(id));
        assert.ok(message && !another, name);
        assert.match(message.textFull ?? message.text, text, name);
        assert.deepEqual(message.attachments.map((file) => file.name).toSorted(), files.toSorted(), name);
        assert.equal(message.author.name, 'James McKinney', name);
        assert.match(
          message.fields.to ?? '',
          /@(multimail\.mailgun\.org|parolecitoyenne\.com|inbound\.postmarkapp\.com)$/,
          name,
        );
        assert.match(message.occurredAt, /^2013-0[45]/, name);
        assert.equal(message.externalId!.endsWith('@opennorth.ca'), true, name);
      }
      assert.equal((await messagesOf()).length, 9);
    });

    it('reads the sets of parameters that others test with, and the mails that Rails posts', async () => {
      const own = { 'content-type': 'application/x-www-form-urlencoded', ...BASIC };
      type Set = Readonly<Record<string, unknown>>;
      const flat = (set: Set) =>
        Object.fromEntries(
          Object.entries(set).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
        );
      for (const set of jsonOf<Set[]>('griddler-mailgun/cases.json')) {
        const { timestamp: _old, ...fields } = flat(set);
        assert.equal(await post('mailgun', signed(fields)), 200);
      }
      for (const set of jsonOf<Set[]>('griddler-sendgrid/cases.json')) {
        assert.equal(await post('sendgrid', { ...form(flat(set)), headers: { ...own, ...FORM } }), 200);
      }
      for (const set of jsonOf<Set[]>('griddler-postmark/cases.json')) {
        assert.equal(await post('postmark', asPostmark(set)), 200);
      }
      const outcomes = (await eventsOf()).map(({ outcome }) => outcome);
      assert.equal(outcomes.length, 7);
      assert.ok(!outcomes.includes('quarantined'), outcomes.join());
      const subjects = (await messagesOf()).map(({ subject }) => subject).toSorted();
      assert.deepEqual(
        subjects.filter((subject) => subject),
        ['Reminder: First and Second Rule', 'multiple recipients and CCs'],
      );

      for (const name of ['welcome', 'invalid_utf']) {
        const value = readFileSync(join(SHARED, `rails-actionmailbox-ingress/${name}.eml`));
        assert.equal(await post('mailgun', signed({ 'body-mime': { value } })), 200);
        assert.equal(await post('sendgrid', { ...form({ email: { value } }), headers: { ...BASIC, ...FORM } }), 200);
        assert.equal(await post('postmark', asPostmark({ RawEmail: value.toString('utf8') })), 200);
      }
      const all = (await messagesOf()).filter(
        ({ subject, text }) => /Let's debate/.test(subject ?? '') || /zákaz/i.test(text),
      );
      assert.equal(all.length, 6, JSON.stringify((await messagesOf()).map(({ subject, text }) => [subject, text])));
    });
  });
});
