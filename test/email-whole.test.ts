import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { email } from '../src/connectors/email/email.ts';
import type { Context } from '../src/core/connector.ts';
import type { Change, Message, Ticket } from '../src/core/ticket.ts';
import { dovecotMissing, startDovecot, type Dovecot } from './fakes/dovecot.ts';
import type { Sample } from './fakes/offload-worker.ts';
import { headersOf, startSink, type SmtpSink } from './fakes/smtp.ts';
import { startWhole, type Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const SUPPORT = 'support@example.test';
const OLENA = 'olena@example.test';

const mail = (subject: string, more = '', text = 'Where is my order?') =>
  `From: Olena <${OLENA}>\r\nTo: ${SUPPORT}\r\nSubject: ${subject}\r\n` +
  `Message-ID: <${subject.replaceAll(' ', '-')}@example.test>\r\n${more}\r\n${text}\r\n`;

interface List<T> {
  readonly data: readonly T[];
}
interface LedgerEvent {
  readonly id: string;
  readonly outcome: string;
  readonly reason: string | null;
}

describe('A mailbox, from the customer to the agent and back', () => {
  let dovecot: Dovecot;
  let post: SmtpSink;
  let whole: Whole | undefined;
  const onTheWay: Promise<void>[] = [];

  before(async function () {
    const missing = dovecotMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    dovecot = await startDovecot([SUPPORT, OLENA]);
    // The mail server in between: what is sent to somebody arrives in his mailbox.
    post = await startSink({
      refuse({ to, raw }) {
        onTheWay.push(dovecot.deliver(to[0] ?? '', [raw]));
      },
    });
  });
  after(async () => {
    await post?.close();
    await dovecot?.stop();
  });
  afterEach(async () => {
    await whole?.close();
    whole = undefined;
  });

  async function start(): Promise<Whole> {
    const login = `host: 127.0.0.1, secure: false, user: ${SUPPORT}, password: "${dovecot.password}"`;
    const yaml = `  - id: mail
    type: email
    address: ${SUPPORT}
    imap: { ${login}, port: ${dovecot.imapPort}, pollSeconds: 5 }
    smtp: { host: 127.0.0.1, secure: false, port: ${post.port} }\n`;
    whole = await startWhole({ yaml });
    return whole;
  }

  const ticketsOf = async ({ api }: Whole) => (await api<List<Ticket>>('/tickets?channel=mail')).data;
  const messagesOf = async ({ api }: Whole, id: string) => (await api<List<Message>>(`/tickets/${id}/messages`)).data;
  const eventsOf = async ({ api }: Whole, outcome: string) =>
    (await api<List<LedgerEvent>>(`/events?outcome=${outcome}`)).data;

  it('carries an answer into the customer’s mailbox, and his reply to it into the same ticket', async () => {
    const gateway = await start();
    await until(async () => (await eventsOf(gateway, 'ignored'))[0], 'the mailbox is begun');
    await dovecot.deliver(SUPPORT, [mail('Order 4512')]);
    const ticket = await until(async () => (await ticketsOf(gateway))[0], 'the mail is a ticket');
    await gateway.api(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { text: 'It comes tomorrow.' } });

    await until(async () => (onTheWay.length > 0 ? true : undefined), 'the answer is sent');
    await Promise.all(onTheWay);
    const [received = ''] = await dovecot.read(OLENA);
    const headers = headersOf(received);
    assert.equal(headers.get('subject'), 'Re: Order 4512');
    assert.equal(headers.get('in-reply-to'), '<Order-4512@example.test>');
    assert.match(received, /It comes tomorrow\./);

    const references = `In-Reply-To: ${headers.get('message-id')}\r\nReferences: ${headers.get('message-id')}\r\n`;
    await dovecot.deliver(SUPPORT, [mail('Thanks', references, 'Thank you!')]);
    const messages = await until(async () => {
      const found = await messagesOf(gateway, ticket.id);
      return found.length === 3 ? found : undefined;
    }, 'the reply is in the ticket');
    assert.deepEqual(
      messages.map(({ direction }) => direction),
      ['inbound', 'outbound', 'inbound'],
    );
    assert.equal(messages[2]?.text, 'Thank you!');
    assert.equal((await ticketsOf(gateway)).length, 1);
    assert.deepEqual(
      dovecot.doveadm('search', '-u', SUPPORT, 'mailbox', 'INBOX', 'seen').trim(),
      '',
      'nothing is marked as read',
    );
  });

  it('sets poison aside with its bytes and one alarm, and files the good mail around it', async function () {
    dovecot.doveadm('expunge', '-u', SUPPORT, 'mailbox', 'INBOX', 'all');
    const real = email.open.bind(email);
    let isRepaired = false;
    // Our reader has no way to die that we know of: these mails are read by one that has.
    const poisoned: typeof email.open = (config, context) => real(config, { ...context, offload: poison(context) });
    function poison(context: Context): Context['offload'] {
      return (work) => {
        const { bytes } = work.input as { bytes: Uint8Array };
        const [, does] = /^X-Poison: (.*)\r$/m.exec(Buffer.from(bytes).toString('latin1')) ?? [];
        if (does === undefined || isRepaired) return context.offload(work);
        const input: Sample = { does: does as Sample['does'] };
        return context.offload({
          worker: new URL('fakes/offload-worker.ts', import.meta.url),
          input,
          deadlineMs: 1000,
        });
      };
    }
    Object.assign(email, { open: poisoned });
    try {
      const gateway = await start();
      const changes: Change[] = [];
      gateway.running.gateway.onChange((change) => changes.push(change));
      await until(async () => (await eventsOf(gateway, 'ignored'))[0], 'the mailbox is begun');
      const bomb = `Content-Type: multipart/mixed; boundary=b\r\n`;
      await dovecot.deliver(SUPPORT, [
        mail('good one'),
        mail('deadline', 'X-Poison: hang\r\n'),
        mail('memory', 'X-Poison: hoard\r\n'),
        mail('death', 'X-Poison: exit\r\n'),
        mail('bug', 'X-Poison: throw\r\n'),
        mail('parts', bomb, '--b\r\n\r\n\r\n'.repeat(1500)),
        mail('head', `X-Long: ${'x\r\n '.repeat(500_000)}y\r\n`),
        mail('good two'),
      ]);
      await until(async () => ((await ticketsOf(gateway)).length === 2 ? true : undefined), 'the good mail is filed');
      const set = await until(async () => {
        const found = await eventsOf(gateway, 'quarantined');
        return found.length >= 6 ? found : undefined;
      }, 'the poison is set aside');
      assert.equal(set.length, 6);
      for (const subject of ['deadline', 'memory', 'death', 'bug', 'parts', 'head']) {
        const found = await Promise.all(set.map(({ id }) => gateway.api<object>(`/events/${id}`)));
        assert.ok(
          found.some((event) => JSON.stringify(event).includes(`Subject: ${subject}`)),
          `the bytes of ${subject} are kept`,
        );
      }
      const alarms = changes.filter(({ type }) => type === 'channel.health_changed');
      assert.deepEqual(
        alarms.map(({ data }) => data.health),
        ['degraded'],
      );

      await gateway.restart();
      await sleep(2000);
      assert.equal((await eventsOf(gateway, 'quarantined')).length, 6, 'none of them is fetched again');
      assert.deepEqual((await eventsOf(gateway, 'duplicate')).length, 0);

      isRepaired = true;
      for (const { id } of set) await gateway.api(`/events/${id}/replay`, { method: 'POST' });
      const subjects = (await ticketsOf(gateway)).map(({ subject }) => subject).sort();
      assert.deepEqual(subjects, ['bug', 'deadline', 'death', 'good one', 'good two', 'memory']);
      const { balanced } = await gateway.api<{ balanced: boolean }>('/events/balance');
      assert.ok(balanced);
    } finally {
      Object.assign(email, { open: real });
    }
  });
});
