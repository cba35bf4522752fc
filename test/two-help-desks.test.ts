import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import { until } from './fakes/until.ts';
import { EMAIL, readZendesk, startZendesk, TOKEN, WEBHOOK_SECRET } from './fakes/zendesk.ts';
import type { FakeZendesk } from './fakes/zendesk.ts';

const NAMES = ['kyiv', 'lviv'] as const;
type Name = (typeof NAMES)[number];
const STATUSES = ['pending', 'solved', 'open'];
type List<T> = { readonly data: readonly T[] };
type Done = { readonly desk: Name; readonly public: boolean; readonly text: string };

/** Agents work in both at the same time; whatever one does, the other shows it, and nothing comes back. */
describe('two help desks at once, with agents answering in both', () => {
  let desks: Readonly<Record<Name, FakeZendesk>>;
  let desk: LineDesk;
  before(async function () {
    this.timeout(30_000);
    const zendesk = readZendesk();
    const [kyiv, lviv] = await Promise.all([startZendesk(zendesk), startZendesk(zendesk)]);
    desks = { kyiv, lviv };
    const auth = `auth: { type: token, email: ${EMAIL}, token: "${TOKEN}" }, webhookSecret: "${WEBHOOK_SECRET}"`;
    const settings = (name: Name) => `type: zendesk, apiRoot: "${desks[name].root}", subdomain: ${name}, ${auth}`;
    desk = await startLineDesk({ kyiv: settings('kyiv'), lviv: settings('lviv') });
  });
  after(async () => {
    await desk.close();
    await Promise.all([desks.kyiv.close(), desks.lviv.close()]);
    assert.deepEqual([desks.kyiv.violations, desks.lviv.violations], [[], []]);
  });

  const write = (n: number) => desk.write(`question ${n}.`);
  /** Both tell of their ticket, as often as they like. */
  async function tell(times = 1): Promise<void> {
    const all = Array.from({ length: times }, () => NAMES).flat();
    const told = all.map((name) => desks[name].notify(desk.webhookOf(name), ticketAt(name).id));
    assert.deepEqual(new Set(await Promise.all(told)), new Set([200]));
  }
  const ticketAt = (name: Name) => desks[name].tickets[0]!;
  const deliveries = async () => (await desk.whole.api<List<unknown>>('/deliveries?limit=200')).data;
  const isQuiet = async () => (await desk.waiting()) === 0;

  it('shows everything everywhere once, and ends with one status', async () => {
    await write(0);
    await until(() => NAMES.every((name) => desks[name].tickets.length === 1), 'both have the ticket');
    const done: Done[] = [];
    const statuses = ['pending', 'open', 'solved', 'hold'];
    for (let n = 1; n <= 12; n++) {
      const where = NAMES[n % 2]!;
      const isPublic = n % 3 !== 0;
      const one = { desk: where, public: isPublic, text: `${isPublic ? 'answer' : 'note'} ${n} of ${where}.` };
      const status = n % 4 === 1 ? { status: statuses[(n >> 2) % statuses.length]! } : {};
      desks[where].act(ticketAt(where).id, { comment: { body: one.text, public: isPublic }, ...status });
      done.push(one);
      // Both at the same time, now and then; told of late, twice, or by the next one only.
      if (n % 2 === 0) await tell(1 + (n % 3));
      if (n % 5 === 0) await write(n);
    }
    await tell(2);
    await until(async () => (await desk.messages()).length === done.length + 3, 'all of it is here');
    await until(isQuiet, 'all of it is there');

    assert.deepEqual(
      desk.line.delivered.map(({ text }) => text).toSorted(),
      done
        .filter((one) => one.public)
        .map(({ text }) => text)
        .toSorted(),
    );
    for (const name of NAMES) {
      const said = desks[name].comments(ticketAt(name).id);
      assert.equal(said.length, done.length + 3, said.join('\n'));
      for (const { desk: where, text } of done) {
        const shown = said.filter((each) => each.endsWith(text));
        assert.equal(shown.length, 1, text);
        assert.equal(shown[0]!.startsWith('Gateway'), where !== name, shown[0]);
      }
      for (const n of [0, 5, 10]) assert.equal(said.filter((each) => each.endsWith(`question ${n}.`)).length, 1);
    }
  }).timeout(60_000);

  it('comes to rest: whatever is told again makes nothing new, anywhere', async () => {
    const before = [(await desk.messages()).length, (await deliveries()).length, desk.line.delivered.length];
    const writes = () => NAMES.map((name) => desks[name].calls.filter(({ method }) => method !== 'GET').length);
    const sent = writes();
    for (let i = 0; i < 3; i++) {
      await tell(3);
      await sleep(400);
    }
    assert.deepEqual([(await desk.messages()).length, (await deliveries()).length, desk.line.delivered.length], before);
    assert.deepEqual(writes(), sent);
  }).timeout(20_000);

  it('agrees on the status, whoever changed it last, also when both do at the same time', async () => {
    const all = async () => [(await desk.ticket()).status, ...NAMES.map((name) => ticketAt(name).status)];
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
    await desk.whole.api(`/tickets/${(await desk.ticket()).id}`, { method: 'PATCH', body: { status: 'open' } });
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
