import assert from 'node:assert/strict';
import Connection from 'nodemailer/lib/smtp-connection';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { freePort } from './fakes/free-port.ts';
import { headersOf, partsOf, startSink, type SmtpSink } from './fakes/smtp.ts';
import { until } from './fakes/until.ts';
import { startWhole, type Whole } from './fakes/whole.ts';

interface List<T> {
  readonly data: readonly T[];
}

const OLENA = 'olena@example.org';
const IVAN = 'ivan@agents.test';

/** Customers and a team that write mail, and the gateway between them, over real SMTP in both directions. */
describe('A team that answers customers from its mailbox', () => {
  let post: SmtpSink;
  let whole: Whole;
  let port: number;
  let next = 0;

  before(async () => {
    post = await startSink();
    port = await freePort();
    const smtp = `{ host: 127.0.0.1, port: ${post.port}, secure: false }`;
    whole = await startWhole({
      yaml: `  - id: mail
    type: email
    address: support@example.test
    agents: ['@agents.test']
    authServer: mx.example.test
    listen: { host: 127.0.0.1, port: ${port} }
    smtp: ${smtp}
destinations:
  - { id: team, type: email, to: team@agents.test, from: support@example.test, smtp: ${smtp} }
routes:
  - { to: [team] }
`,
    });
  });
  after(async () => {
    await whole.close();
    await post.close();
  });

  /** `proven`: the mail server in front says that the domain sent it. */
  async function write(from: string, to: string, text: string, more: readonly string[] = [], proven = true) {
    const domain = from.split('@')[1]!;
    const head = [
      `Authentication-Results: mx.example.test; dmarc=${proven ? 'pass' : 'fail'} header.from=${domain}`,
      `From: ${from}`,
      `To: ${to}`,
      'Subject: Order 4512',
      `Message-ID: <${++next}@${domain}>`,
      ...more,
    ];
    await until(
      () =>
        hand(port, from, to, `${head.join('\r\n')}\r\n\r\n${text.replaceAll('\n', '\r\n')}\r\n`).then(
          () => true,
          () => undefined,
        ),
      'the gateway takes mail',
    );
  }

  const sentTo = (address: string) => post.mails.filter(({ to }) => to[0] === address);
  const textOf = (raw: string) => partsOf(raw)[0]!.content.toString().replaceAll('\r\n', '\n');
  const mailTo = (address: string, count: number) =>
    until(
      () => (sentTo(address).length >= count ? sentTo(address)[count - 1] : undefined),
      `${count} mails to ${address}`,
    );
  const ticketsOf = async () => (await whole.api<List<Ticket>>('/tickets')).data;
  const messagesOf = async (id: string) => (await whole.api<List<Message>>(`/tickets/${id}/messages`)).data;
  const eventsOf = async () => (await whole.api<List<LedgerEvent>>('/events?limit=100')).data;

  it('gets what they write, answers by mail, and gets their answer in the same thread', async () => {
    await write(OLENA, 'support@example.test', 'Where is it?');
    const first = await mailTo('team@agents.test', 1);
    const head = headersOf(first.raw);
    assert.match(textOf(first.raw), /Where is it\?/);
    const back = head.get('reply-to')!;

    const quote = textOf(first.raw).replaceAll(/^/gm, '> ');
    const answer = `It comes tomorrow.\n\nOn Sunday, Olena <support@example.test> wrote:\n${quote}`;
    await write(IVAN, back, answer, [
      `In-Reply-To: ${head.get('message-id')}`,
      `References: ${head.get('message-id')}`,
    ]);
    const got = await mailTo(OLENA, 1);
    assert.match(textOf(got.raw), /^It comes tomorrow\.\n\nOn .*\n> Where is it\?$/);
    assert.ok(
      !got.raw.includes('ivan@') && !got.raw.includes(back),
      'she sees neither him nor the address for answers',
    );

    await write(OLENA, 'support@example.test', 'Thanks!', [`In-Reply-To: ${headersOf(got.raw).get('message-id')}`]);
    const second = await mailTo('team@agents.test', 2);
    assert.match(textOf(second.raw), /Thanks!/);
    assert.equal(headersOf(second.raw).get('references'), head.get('message-id'));
    assert.equal((await ticketsOf()).length, 1, 'his own answer did not come to the team again');
  });

  it('answers nobody where its domain isn’t proven, or where a stranger has the address', async () => {
    const [ticket] = await ticketsOf();
    const back = headersOf(sentTo('team@agents.test')[0]!.raw).get('reply-to')!;
    const before = [sentTo(OLENA).length, sentTo('team@agents.test').length];
    await write(IVAN, back, 'Pay to this account.', [], false);
    await write('eve@evil.test', back, 'Pay to that account.');
    await write('helpdesk@evil.test', back, 'We have got your mail.', ['Auto-Submitted: auto-replied']);
    await until(
      async () => (await messagesOf(ticket!.id)).filter(({ kind }) => kind === 'note').length === 2,
      'both are noted',
    );
    await until(
      async () => (await eventsOf()).some(({ reason }) => /a machine's answer/.test(reason ?? '')),
      'all of it is here',
    );
    const deliveries = await whole.api<List<{ state: string }>>('/deliveries?limit=100');
    assert.ok(deliveries.data.every(({ state }) => state === 'delivered'));
    assert.deepEqual([sentTo(OLENA).length, sentTo('team@agents.test').length], before);
    assert.equal((await ticketsOf()).length, 1);
  });

  it('keeps a ledger that comes out', async () => {
    const balance = await whole.api<{ readonly balanced: boolean }>('/events/balance');
    assert.ok(balance.balanced, JSON.stringify(balance));
  });
});

async function hand(port: number, from: string, to: string, raw: string): Promise<void> {
  const connection = new Connection({ host: '127.0.0.1', port, ignoreTLS: true });
  try {
    await new Promise<void>((resolve, reject) => {
      connection.on('error', reject);
      connection.connect((error) => (error ? reject(error) : resolve()));
    });
    await new Promise<void>((resolve, reject) => {
      connection.send({ from, to: [to] }, raw, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    connection.close();
  }
}
