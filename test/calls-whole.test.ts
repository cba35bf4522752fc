import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../src/core/clock.ts';
import { systemClock } from '../src/core/clock.ts';
import type { Customer, LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { ACCESS_TOKEN, APP_SECRET, signed, VERIFY_TOKEN } from './fakes/whatsapp.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';

const COLLECTED = join(import.meta.dirname, '../../shared/fixtures/whatsapp-cloud/pywa/message.json');
const TOKEN = '3b1f4c6c9f3a2f3f2b6f1d576d0f0f8c';
/** Of the collected message: our number at Meta, and who writes. */
const NUMBER = '1122334455667';
const COLLECTED_SENDER = '972987654321';
/** A number that there may be: the collected one is none. */
const DANA = '972541234567';
const OURS = '972123456789';

type List<T> = { readonly data: readonly T[] };
type Fields = Readonly<Record<string, string>>;

/** What Meta sends of a text: as it was collected, else the same by hand. */
function whatsAppText(): string {
  if (existsSync(COLLECTED)) {
    const { text } = JSON.parse(readFileSync(COLLECTED, 'utf8')) as { readonly text: object };
    return JSON.stringify(text).replaceAll(COLLECTED_SENDER, DANA);
  }
  const contacts = [{ profile: { name: 'Test Name' }, wa_id: DANA }];
  const messages = [
    { from: DANA, id: 'wamid.xyzxyz', timestamp: '1697043223', text: { body: 'Body Text' }, type: 'text' },
  ];
  const metadata = { display_phone_number: OURS, phone_number_id: NUMBER };
  const value = { messaging_product: 'whatsapp', metadata, contacts, messages };
  return JSON.stringify({
    object: 'whatsapp_business_account',
    entry: [{ id: '1234567890987654321', changes: [{ value, field: 'messages' }] }],
  });
}

describe('Calls, through a whole gateway as its user has it', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let whole: Whole;
  let ahead = 0;

  beforeEach(async () => {
    ahead = 0;
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + ahead };
    const pem = JSON.stringify(publicKey.export({ type: 'spki', format: 'pem' }));
    const meta = `accessToken: "${ACCESS_TOKEN}", appSecret: "${APP_SECRET}", verifyToken: ${VERIFY_TOKEN}`;
    const yaml = [
      `  - { id: phone, type: cti, token: "${TOKEN}", signature: { type: sipgate, publicKey: ${pem} } }`,
      `  - { id: whatsapp, type: whatsapp_cloud, phoneNumberId: "${NUMBER}", ${meta} }`,
      'server: { publicUrl: "https://desk.example.com" }',
    ];
    whole = await startWhole({ yaml: yaml.join('\n'), clock });
  });
  afterEach(() => whole.close());

  /** As sipgate tells of a call: a form, signed. */
  async function tell(callId: string, fields: Fields, key = privateKey) {
    const body = new URLSearchParams({ from: DANA, to: OURS, direction: 'in', callId, ...fields }).toString();
    const answer = await fetch(`${whole.running.url}/webhooks/phone/${TOKEN}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-sipgate-signature': sign('RSA-SHA256', Buffer.from(body), key).toString('base64'),
      },
      body,
    });
    return { status: answer.status, text: await answer.text() };
  }
  async function miss(callId: string, fields: Fields = {}): Promise<void> {
    assert.equal((await tell(callId, { event: 'newCall', ...fields })).status, 200);
    assert.equal((await tell(callId, { event: 'hangup', cause: 'noAnswer', ...fields })).status, 200);
  }
  async function writeWhatsApp(): Promise<void> {
    const body = whatsAppText();
    const headers = { 'content-type': 'application/json', ...signed(body) };
    const answer = await fetch(`${whole.running.url}/webhooks/whatsapp`, { method: 'POST', headers, body });
    assert.equal(answer.status, 200);
  }
  const list = async <T>(path: string) => (await whole.api<List<T>>(path)).data;
  const tickets = () => list<Ticket>('/tickets');
  const customers = () => list<Customer>('/customers');
  const timelineOf = ({ id }: Pick<Customer, 'id'>) => list<Message>(`/customers/${id}/timeline?limit=50`);

  it('makes one ticket with ten entries of ten missed calls of one number in five minutes, and one timeline with WhatsApp', async () => {
    for (let number = 0; number < 10; number++) {
      await miss(`call-${number}`);
      // A vendor who sends something again.
      if (number % 3 === 0) await miss(`call-${number}`);
      ahead += 30_000;
    }
    const [ticket, ...others] = await tickets();
    assert.equal(others.length, 0);
    assert.deepEqual(
      [ticket!.messageCount, ticket!.priority, ticket!.status, ticket!.tags],
      [10, 'high', 'new', ['callback']],
    );
    const entries = await list<Message>(`/tickets/${ticket!.id}/messages?limit=50`);
    assert.deepEqual(
      entries.map(({ kind, call }) => [kind, call?.outcome, call?.from]),
      Array.from({ length: 10 }, () => ['call', 'missed', DANA]),
    );

    await writeWhatsApp();
    const [customer, ...strangers] = await customers();
    assert.equal(strangers.length, 0, 'who calls and who writes is one customer');
    const timeline = await timelineOf(customer!);
    assert.deepEqual(
      timeline.map(({ kind, verified, ticketId }) => [kind, verified, ticketId === ticket!.id]),
      [['message', true, true], ...Array.from({ length: 10 }, () => ['call', false, true])],
    );
  });

  it('grants nothing to who calls with the number of somebody else', async () => {
    await writeWhatsApp();
    const [vip, ...others] = await customers();
    assert.equal(others.length, 0);
    const [ticket] = await tickets();
    await whole.api(`/tickets/${ticket!.id}`, { method: 'PATCH', body: { tags: ['vip'] } });
    const stranger = await tell('unknown', { event: 'newCall', from: '972540000000' });
    const before = await whole.api<Customer>(`/customers/${vip!.id}`);

    const heard = await tell('forged', { event: 'newCall' });
    assert.deepEqual(heard, stranger, 'the telephone system hears of him what it hears of anybody');
    await tell('forged', { event: 'answer', user: 'Alice' });
    await tell('forged', { event: 'hangup', cause: 'normalClearing' });
    await miss('forged-missed');

    const after = await whole.api<Customer>(`/customers/${vip!.id}`);
    assert.deepEqual([after.name, after.identifiers], [before.name, before.identifiers], 'nothing is learned of him');
    assert.equal((await customers()).length, 2, 'nobody is joined');
    const said = (await timelineOf(vip!)).filter(({ kind }) => kind === 'call');
    assert.deepEqual(
      said.map(({ verified, author }) => [verified, author.identifiers.map(({ trust }) => trust)]),
      [
        [false, ['observed']],
        [false, ['observed']],
      ],
    );
    // It rings back where the customer is, which only he can take.
    const [found] = (await tickets()).filter(({ id }) => id === ticket!.id);
    assert.deepEqual(found!.tags.toSorted(), ['callback', 'vip'].toSorted());
    // A number alone takes no call-back away, and nobody learns a number of the ticket by calling.
    await tell('forged-again', { event: 'newCall' });
    await tell('forged-again', { event: 'answer', user: 'Alice' });
    const [still] = (await tickets()).filter(({ id }) => id === ticket!.id);
    assert.ok(still!.tags.includes('callback'));
  });

  it('takes nothing that was not signed, though the address is right', async () => {
    const forger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    assert.equal((await tell('forged', { event: 'hangup', cause: 'noAnswer' }, forger)).status, 401);
    const body = `event=hangup&cause=noAnswer&callId=f&from=${DANA}&direction=in`;
    const unsigned: readonly Fields[] = [{}, { 'x-sipgate-signature': '' }];
    for (const headers of unsigned) {
      const type = { 'content-type': 'application/x-www-form-urlencoded', ...headers };
      const answer = await fetch(`${whole.running.url}/webhooks/phone/${TOKEN}`, {
        method: 'POST',
        headers: type,
        body,
      });
      assert.equal(answer.status, 401);
    }
    assert.deepEqual([await tickets(), await list<LedgerEvent>('/events')], [[], []]);
  });
});
