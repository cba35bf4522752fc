import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Message, Ticket } from '../src/core/ticket.ts';
import { readLine, SECRET, startLine, TOKEN as LINE_TOKEN } from './fakes/line.ts';
import type { FakeLine } from './fakes/line.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { EMAIL, readZendesk, startZendesk, TOKEN, WEBHOOK_SECRET } from './fakes/zendesk.ts';
import type { FakeZendesk } from './fakes/zendesk.ts';

const OLENA = 'U7001aaaa0000000000000000000000aa';
const NAMES = ['kyiv', 'lviv'] as const;
type Name = (typeof NAMES)[number];
const STATUSES = ['pending', 'solved', 'open'];
type List<T> = { readonly data: readonly T[] };
type Done = { readonly desk: Name; readonly public: boolean; readonly text: string };

/** Agents work in both at the same time; whatever one does, the other shows it, and nothing comes back. */
describe('two help desks at once, with agents answering in both', () => {
  let desks: Readonly<Record<Name, FakeZendesk>>;
  let line: FakeLine;
  let whole: Whole;
  before(async function () {
    this.timeout(30_000);
    const [zendesk, lines] = [readZendesk(), readLine()];
    const [kyiv, lviv] = await Promise.all([startZendesk(zendesk), startZendesk(zendesk)]);
    [desks, line] = [{ kyiv, lviv }, await startLine(lines)];
    const auth = `auth: { type: token, email: ${EMAIL}, token: "${TOKEN}" }, webhookSecret: "${WEBHOOK_SECRET}"`;
    const each = NAMES.map(
      (id) => `  - { id: ${id}, type: zendesk, apiRoot: "${desks[id].root}", subdomain: ${id}, ${auth} }\n`,
    );
    const yaml = `  - { id: line, type: line, channelSecret: "${SECRET}", channelAccessToken: "${LINE_TOKEN}", apiRoot: "${line.root}" }
destinations:
${each.join('')}routes:
  - { to: [${NAMES.join(', ')}] }
`;
    whole = await startWhole({ yaml, env: { PUBLIC_URL: 'https://desk.example.com' } });
    await until(() => line.webhook.endpoint.includes('desk.example'), 'it has begun');
  });
  after(async () => {
    await whole.close();
    await Promise.all([desks.kyiv.close(), desks.lviv.close(), line.close()]);
    assert.deepEqual([desks.kyiv.violations, desks.lviv.violations, line.violations], [[], [], []]);
  });

  async function write(n: number): Promise<void> {
    const event = {
      type: 'message',
      timestamp: Date.now(),
      mode: 'active',
      webhookEventId: `01KAQ7Z0000000000000000${100 + n}`,
      deliveryContext: { isRedelivery: false },
      source: { type: 'user', userId: OLENA },
      message: { id: String(n), type: 'text', text: `question ${n}.`, quoteToken: 'q' },
    };
    assert.equal(await line.deliver(`${whole.running.url}/webhooks/line`, [event]), 200);
  }
  /** Both tell of their ticket, as often as they like. */
  async function tell(times = 1): Promise<void> {
    const all = Array.from({ length: times }, () => NAMES).flat();
    const told = all.map((name) => desks[name].notify(`${whole.running.url}/webhooks/${name}`, ticketAt(name).id));
    assert.deepEqual(new Set(await Promise.all(told)), new Set([200]));
  }
  const ticketAt = (name: Name) => desks[name].tickets[0]!;
  const ticket = async () => (await whole.api<List<Ticket>>('/tickets')).data[0]!;
  const messages = async () =>
    (await whole.api<List<Message>>(`/tickets/${(await ticket()).id}/messages?limit=200`)).data;
  const deliveries = async () => (await whole.api<List<{ state: string }>>('/deliveries?limit=200')).data;
  const isQuiet = async () => (await deliveries()).every(({ state }) => state === 'delivered');

  it('shows everything everywhere once, and ends with one status', async () => {
    await write(0);
    await until(() => NAMES.every((name) => desks[name].tickets.length === 1), 'both have the ticket');
    const done: Done[] = [];
    const statuses = ['pending', 'open', 'solved', 'hold'];
    for (let n = 1; n <= 12; n++) {
      const desk = NAMES[n % 2]!;
      const isPublic = n % 3 !== 0;
      const one = { desk, public: isPublic, text: `${isPublic ? 'answer' : 'note'} ${n} of ${desk}.` };
      const status = n % 4 === 1 ? { status: statuses[(n >> 2) % statuses.length]! } : {};
      desks[desk].act(ticketAt(desk).id, { comment: { body: one.text, public: isPublic }, ...status });
      done.push(one);
      // Both at the same time, now and then; told of late, twice, or by the next one only.
      if (n % 2 === 0) await tell(1 + (n % 3));
      if (n % 5 === 0) await write(n);
    }
    await tell(2);
    await until(async () => (await messages()).length === done.length + 3, 'all of it is here');
    await until(isQuiet, 'all of it is there');

    assert.deepEqual(
      line.delivered.map(({ text }) => text).toSorted(),
      done
        .filter((one) => one.public)
        .map(({ text }) => text)
        .toSorted(),
    );
    for (const name of NAMES) {
      const said = desks[name].comments(ticketAt(name).id);
      assert.equal(said.length, done.length + 3, said.join('\n'));
      for (const { desk, text } of done) {
        const shown = said.filter((each) => each.endsWith(text));
        assert.equal(shown.length, 1, text);
        assert.equal(shown[0]!.startsWith('Gateway'), desk !== name, shown[0]);
      }
      for (const n of [0, 5, 10]) assert.equal(said.filter((each) => each.endsWith(`question ${n}.`)).length, 1);
    }
  }).timeout(60_000);

  it('comes to rest: whatever is told again makes nothing new, anywhere', async () => {
    const before = [(await messages()).length, (await deliveries()).length, line.delivered.length];
    const writes = () => NAMES.map((name) => desks[name].calls.filter(({ method }) => method !== 'GET').length);
    const sent = writes();
    for (let i = 0; i < 3; i++) {
      await tell(3);
      await sleep(400);
    }
    assert.deepEqual([(await messages()).length, (await deliveries()).length, line.delivered.length], before);
    assert.deepEqual(writes(), sent);
  }).timeout(20_000);

  it('agrees on the status, whoever changed it last, also when both do at the same time', async () => {
    const all = async () => [(await ticket()).status, ...NAMES.map((name) => ticketAt(name).status)];
    /** All are as they should be, or all the same. */
    const agree = async (status?: string) => {
      await tell(2);
      let seen: string[] = [];
      const isOne = () => seen.length > 0 && seen.every((each) => each === (status ?? seen[0]));
      for (let i = 0; i < 100 && !(isOne() && (await isQuiet())); i++) {
        await sleep(100);
        seen = await all();
      }
      assert.deepEqual(seen, Array(3).fill(status ?? seen[0]));
    };
    desks.kyiv.act(ticketAt('kyiv').id, { status: 'solved' });
    await agree('solved');
    await sleep(1100);
    desks.lviv.act(ticketAt('lviv').id, { status: 'open' });
    await agree('open');
    await sleep(1100);
    desks.kyiv.act(ticketAt('kyiv').id, { status: 'pending' });
    await sleep(1100);
    desks.lviv.act(ticketAt('lviv').id, { status: 'solved' });
    await agree('solved');
    await sleep(1100);
    await whole.api(`/tickets/${(await ticket()).id}`, { method: 'PATCH', body: { status: 'open' } });
    await agree('open');
    for (let n = 0; n < 6; n++) {
      const [kyiv, lviv] = [STATUSES[n % 3]!, STATUSES[(n + 1) % 3]!];
      desks.kyiv.act(ticketAt('kyiv').id, { status: kyiv });
      if (n % 2 === 0) await tell();
      desks.lviv.act(ticketAt('lviv').id, { status: lviv });
      await agree();
    }
  }).timeout(60_000);
});
