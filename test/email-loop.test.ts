import assert from 'node:assert/strict';
import { setTimeout as realTime } from 'node:timers/promises';
import Connection from 'nodemailer/lib/smtp-connection';
import type { Message, Ticket } from '../src/core/ticket.ts';
import { freePort } from './fakes/free-port.ts';
import { headersOf, startSink, type Delivered, type SmtpSink } from './fakes/smtp.ts';
import { startWhole, type Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';

async function hand(port: number, from: string, to: readonly string[], raw: string): Promise<void> {
  const connection = new Connection({ host: '127.0.0.1', port, ignoreTLS: true });
  try {
    await new Promise<void>((resolve, reject) => {
      connection.on('error', reject);
      connection.connect((error) => (error ? reject(error) : resolve()));
    });
    await new Promise<void>((resolve, reject) => {
      connection.send({ from, to: [...to] }, raw, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    connection.close();
  }
}

/** Mail servers between the domains: what is sent to one arrives there. */
interface Post {
  readonly port: number;
  /** Everything that was sent through it, in order. */
  readonly mails: readonly Delivered[];
  readonly ports: Map<string, number>;
  close(): Promise<void>;
}

/** `strip`: headers that it takes out on the way, as bad ones do. */
async function startPost(strip: RegExp | undefined): Promise<Post> {
  const ports = new Map<string, number>();
  const onTheWay = new Set<Promise<void>>();
  const deliver = async ({ from, to, raw }: Delivered) => {
    const end = raw.indexOf('\r\n\r\n');
    const head = raw
      .slice(0, end)
      .replaceAll(/\r\n[ \t]+/g, ' ')
      .split('\r\n');
    const kept = head.filter((line) => !strip?.test(line)).join('\r\n');
    const port = ports.get(to[0]!.split('@')[1]!);
    if (port !== undefined) await hand(port, from, to, kept + raw.slice(end));
  };
  const sink: SmtpSink = await startSink({
    refuse(mail) {
      const sent = new Promise((resolve) => setImmediate(resolve)).then(() => deliver(mail)).catch(() => undefined);
      onTheWay.add(sent);
      void sent.then(() => onTheWay.delete(sent));
    },
  });
  return {
    port: sink.port,
    mails: sink.mails,
    ports,
    async close() {
      await Promise.all(onTheWay);
      await sink.close();
    },
  };
}

async function startMailGateway(post: Post, domain: string, rest = ''): Promise<Whole> {
  const port = await freePort();
  post.ports.set(domain, port);
  return startWhole({
    yaml: `  - id: mail
    type: email
    address: support@${domain}
    listen: { host: 127.0.0.1, port: ${port}, maxBytes: 1000000 }
    smtp: { host: 127.0.0.1, port: ${post.port}, secure: false }
    ${rest}\n`,
  });
}

const MAIL = (from: string, to: string, more = '') =>
  `From: ${from}\r\nTo: ${to}\r\nSubject: Order 4512\r\nMessage-ID: <first-${from}>\r\n${more}\r\nWhere is it?\r\n`;

interface List<T> {
  readonly data: readonly T[];
}
const ticketsOf = async (whole: Whole) => (await whole.api<List<Ticket>>('/tickets?channel=mail')).data;
const ignoredOf = async (whole: Whole) =>
  (await whole.api<List<{ readonly reason: string }>>('/events?outcome=ignored')).data.filter(({ reason }) =>
    reason.startsWith('auto_reply: '),
  );
const messagesOf = async (whole: Whole, id: string) => (await whole.api<List<Message>>(`/tickets/${id}/messages`)).data;

describe('Two gateways that answer automatically', () => {
  const AUTO = 'autoReply: "We have got it, your number is {{number}}."';

  for (const [how, strip] of [
    ['and say so', undefined],
    ['through servers that take out every sign of it', /^(auto-submitted|x-auto-response-suppress|precedence):/i],
    [
      'through servers that take out the references too',
      /^(auto-submitted|x-auto-response-suppress|precedence|in-reply-to|references|reply-to):/i,
    ],
  ] as const) {
    it(`exchange at most three mails, ${how}`, async () => {
      const post = await startPost(strip);
      const a = await startMailGateway(post, 'a.test', AUTO);
      const b = await startMailGateway(post, 'b.test', AUTO);
      try {
        // One of them begins, as a person in front of it would.
        await until(
          () =>
            hand(
              post.ports.get('a.test')!,
              'support@b.test',
              ['support@a.test'],
              MAIL('support@b.test', 'support@a.test'),
            ).then(
              () => true,
              () => undefined,
            ),
          'a takes mail',
        );
        await until(async () => (await ticketsOf(b))[0] ?? (await ignoredOf(b))[0], 'the answer arrives');
        // Whatever they still have to say to each other.
        for (let quiet = 0, seen = 0; quiet < 40 && seen < 10; quiet++) {
          if (post.mails.length !== seen) quiet = 0;
          seen = post.mails.length;
          await realTime(25);
        }
        const exchanged = 1 + post.mails.length;
        assert.ok(exchanged >= 2 && exchanged <= 3, `${exchanged} mails`);
        const [first] = post.mails;
        assert.equal(headersOf(first!.raw).get('auto-submitted'), 'auto-replied');
        // What says that a machine wrote it opens no ticket.
        const opened = strip === undefined ? 0 : 1;
        assert.deepEqual([(await ticketsOf(a)).length <= 2, (await ticketsOf(b)).length], [true, opened]);
      } finally {
        await a.close();
        await b.close();
        await post.close();
      }
    });
  }
});

describe('A conversation by mail', () => {
  let post: Post;
  let whole: Whole;
  before(async () => {
    post = await startPost(undefined);
    whole = await startMailGateway(post, 'a.test');
  });
  after(async () => {
    await whole.close();
    await post.close();
  });

  const write = (from: string, to: string, mail: string) =>
    until(
      () =>
        hand(post.ports.get('a.test')!, from, [to], mail).then(
          () => true,
          () => undefined,
        ),
      'it is taken',
    );

  it('goes on in the same ticket, however the customer’s program answers', async () => {
    await write('olena@example.com', 'support@a.test', MAIL('Olena <olena@example.com>', 'support@a.test'));
    const ticket = await until(async () => (await ticketsOf(whole))[0], 'a ticket');
    await whole.api(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { text: 'It comes tomorrow.' } });
    const answer = await until(() => post.mails[0], 'the answer');
    const headers = headersOf(answer.raw);
    assert.deepEqual(answer.to, ['olena@example.com']);
    const replyTo = headers.get('reply-to')!;
    const ourId = headers.get('message-id')!;
    const answers = [
      // References, as it should be.
      ['olena@example.com', 'support@a.test', `In-Reply-To: ${ourId}\r\nReferences: ${ourId}\r\n`],
      // From another address of hers: our proof is enough.
      ['olena@home.example.com', 'support@a.test', `In-Reply-To: ${ourId}\r\n`],
      // Without any of it, to the address that was asked for, its case changed on the way.
      ['olena@work.example.com', replyTo.toUpperCase(), ''],
    ] as const;
    for (const [index, [from, to, more]] of answers.entries()) {
      const mail = `From: ${from}\r\nTo: ${to}\r\nSubject: Thanks ${index}\r\nMessage-ID: <m-${index}@example.com>\r\n${more}\r\nThanks\r\n`;
      await write(from, to, mail);
      const filed = await until(
        async () => (await messagesOf(whole, ticket.id))[index + 2],
        `answer ${index} in the ticket`,
      );
      assert.equal(filed.threadedBy.rule, 'ticket_number', filed.threadedBy.evidence);
    }
    assert.equal((await ticketsOf(whole)).length, 1);
  });

  it('says that an answer failed when its bounce comes, and believes no other bounce', async () => {
    const [ticket] = await ticketsOf(whole);
    const answers = async () =>
      (await messagesOf(whole, ticket!.id)).filter(({ direction }) => direction === 'outbound');
    const id = headersOf(post.mails[0]!.raw).get('message-id')!;
    const bounce = (about: string, number: number) =>
      `From: MAILER-DAEMON@mx.test\r\nTo: support@a.test\r\nSubject: Undelivered Mail\r\nMessage-ID: <bounce-${number}@mx.test>\r\n\r\n<olena@example.com>: 550 5.1.1 no such user\r\n\r\nMessage-ID: ${about}\r\n`;
    const before = await messagesOf(whole, ticket!.id);
    await write('', 'support@a.test', bounce(id.replace(/\.[0-9a-v]{26}\./, `.${'0'.repeat(26)}.`), 1));
    await write('', 'support@a.test', bounce('<somebody@elsewhere.test>', 2));
    assert.deepEqual((await answers())[0]!.delivery, before.find((each) => each.direction === 'outbound')!.delivery);
    await write('', 'support@a.test', bounce(id, 3));
    const failed = await until(
      async () => (await answers()).find(({ delivery }) => delivery?.state === 'failed'),
      'it',
    );
    assert.match(failed.delivery!.error!, /^olena@example\.com: .*550 5\.1\.1 no such user/);
    assert.equal((await messagesOf(whole, ticket!.id)).length, before.length, 'a bounce is no message');
    assert.equal((await ticketsOf(whole)).length, 1);
  });

  it('isn’t joined by who only guesses a number', async () => {
    const [ticket] = await ticketsOf(whole);
    const before = (await messagesOf(whole, ticket!.id)).length;
    const guess = `support+t${ticket!.number}.${'0'.repeat(26)}@a.test`;
    const mail = `From: mallory@example.org\r\nTo: ${guess}\r\nSubject: Mine\r\nMessage-ID: <evil@example.org>\r\n\r\nHi\r\n`;
    await write('mallory@example.org', guess, mail);
    const other = await until(
      async () => (await ticketsOf(whole)).find(({ subject }) => subject === 'Mine'),
      'a ticket',
    );
    assert.notEqual(other.id, ticket!.id);
    assert.equal((await messagesOf(whole, ticket!.id)).length, before);
  });
});
