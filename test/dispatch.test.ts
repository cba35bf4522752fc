import assert from 'node:assert/strict';
import { setTimeout as realTime } from 'node:timers/promises';
import type { DeliveryView, Attempt } from '../src/core/ticket.ts';
import { fakeClock, type FakeClock } from './fakes/clock.ts';
import { startReceiver, type Behaviour, type Received, type Receiver } from './fakes/receiver.ts';
import { startWhole, INTAKE_SECRET, type Whole } from './fakes/whole.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What a receiver has understood: the messages in order, a repeated `webhook-id` counted once. */
function understood(requests: readonly Received[], accepted: (index: number) => boolean = () => true): string[] {
  const seen = new Set<string>();
  return requests.flatMap((request, index) => {
    const id = String(request.headers['webhook-id']);
    const event = JSON.parse(request.body.toString()) as { type: string; data: { message?: { externalId: string } } };
    if (seen.has(id) || !accepted(index) || event.type !== 'message.received') return [];
    seen.add(id);
    return [event.data.message!.externalId];
  });
}

describe('a destination in trouble', () => {
  let clock: FakeClock;
  let bad: Receiver;
  let good: Receiver;
  let whole: Whole;

  beforeEach(async () => {
    clock = fakeClock();
    [bad, good] = await Promise.all([startReceiver(), startReceiver()]);
    const destination = (id: string, receiver: Receiver) =>
      `  - { id: ${id}, type: webhook, url: "${receiver.origin}/hooks", secret: "${INTAKE_SECRET}" }\n`;
    whole = await startWhole({
      clock,
      yaml: `destinations:\n${destination('bad', bad)}${destination('good', good)}routes:\n  - { to: [bad, good] }\n`,
    });
  });
  afterEach(async () => {
    await whole.close();
    await Promise.all([bad.close(), good.close()]);
  });

  let count = 0;
  async function write(thread: string, n = 1): Promise<void> {
    for (let i = 0; i < n; i++) {
      const id = `m-${++count}`;
      const status = await whole.send({ id, thread, from: { id: `u-${thread}` }, text: `number ${id}` });
      assert.equal(status, 200);
    }
  }

  /** Lets hours pass in steps: the wall clock jumps, the sweep runs, and real sockets get their time. */
  async function pass(ms: number, step = 20 * MINUTE): Promise<void> {
    for (let left = ms; left > 0; left -= step) {
      clock.jump(Math.min(step, left));
      await clock.advance(1100);
      await realTime(15);
    }
  }

  const waiting = async (destination: string) => {
    let sum = 0;
    for (const state of ['waiting', 'delivering']) {
      const page = await whole.api<{ data: DeliveryView[] }>(
        `/deliveries?destination=${destination}&state=${state}&limit=200`,
      );
      sum += page.data.length;
    }
    return sum;
  };
  const deliveries = async (destination: string) =>
    (await whole.api<{ data: DeliveryView[] }>(`/deliveries?destination=${destination}&limit=200`)).data;

  async function drain(destination: string, step = MINUTE): Promise<void> {
    for (let i = 0; i < 400 && (await waiting(destination)) > 0; i++) await pass(step, step);
    assert.equal(await waiting(destination), 0, 'everything has left');
  }

  const inOrder = (ids: readonly string[]) => ids.toSorted((a, b) => Number(a.slice(2)) - Number(b.slice(2)));

  it('gets everything once and in order after three days of silence, and nobody else waits for it', async () => {
    bad.behave('drop');
    await write('a', 5);
    await write('b', 5);
    await drain('good', 1100);
    const expected = understood(good.requests);
    assert.equal(expected.length, 10);
    await pass(72 * HOUR);
    assert.ok((await waiting('bad')) > 0, 'it is still waiting after three days');
    assert.equal((await deliveries('bad')).filter((each) => each.state === 'dead').length, 0);
    const tried = bad.requests.length;
    bad.behave('ok');
    await write('a');
    await drain('bad');
    await drain('good', 1100);
    const got = understood(bad.requests, (index) => index >= tried);
    assert.deepEqual(inOrder(got), inOrder(understood(good.requests)));
    for (const thread of ['a', 'b']) {
      const ofThread = got.filter((id) => understood(threadOf(good.requests, thread)).includes(id));
      assert.deepEqual(ofThread, inOrder(ofThread), 'the order of a ticket is kept');
    }
    const first = (await deliveries('bad')).at(-1)!;
    const { log } = await whole.api<{ log: Attempt[] }>(`/deliveries/${first.id}`);
    assert.ok(log.length > 1, 'every attempt is visible');
    assert.match(log[0]!.error!, /closed|hung up|reset|socket/i);
    assert.equal(log.at(-1)!.outcome, 'delivered');
  });

  const troubles: readonly (readonly [string, Behaviour])[] = [
    ['answers 500 after it has taken the event', { status: 500 }],
    ['answers 503 and asks for two minutes', { status: 503, headers: { 'retry-after': '120' } }],
    ['answers 429 and asks for an hour', { status: 429, headers: { 'retry-after': '3600' } }],
    ['closes the connection without an answer', 'drop'],
    ['closes the connection within its answer', 'cut'],
    ['answers with a redirect', { status: 302, headers: { location: 'http://127.0.0.1:9/elsewhere' } }],
    ['answers in Brotli', 'brotli'],
    ['answers with what is not HTTP', 'garbage'],
    ['refuses the credentials', { status: 401 }],
  ];
  for (const [name, behaviour] of troubles) {
    it(`gets everything once and in order when it ${name} for a while`, async () => {
      bad.behave(behaviour);
      await write('a', 3);
      await pass(6 * MINUTE, 2 * MINUTE);
      await drain('good', 1100);
      bad.behave('ok');
      await drain('bad', 10 * MINUTE);
      const got = understood(bad.requests);
      assert.deepEqual(got, inOrder(got));
      assert.deepEqual(got, understood(good.requests));
      assert.equal((await deliveries('bad')).filter((each) => each.state !== 'delivered').length, 0);
    });
  }

  it('counts 100 MB of thanks as thanks, without reading them', async () => {
    bad.behave('huge');
    await write('a', 2);
    await drain('bad', 1100);
    assert.equal(understood(bad.requests).length, 2);
    assert.ok(bad.bytesSent() < 50 * 1024 * 1024, `${bad.bytesSent()} bytes were taken`);
  });

  it('does not spend the tries of a delivery on a rate limit', async () => {
    bad.behave({ status: 429, headers: { 'retry-after': '60' } });
    await write('a');
    const waits = async () => (await deliveries('bad')).find((each) => each.nextAttemptAt !== null);
    const triesOf = async (id: string) => (await whole.api<{ log: Attempt[] }>(`/deliveries/${id}`)).log.length;
    await pass(5 * MINUTE, MINUTE + 1000);
    const first = await waits();
    // A real request may take longer than a step.
    for (let i = 0; i < 30 && (await triesOf(first!.id)) < 3; i++) await pass(MINUTE + 1000, MINUTE + 1000);
    assert.ok((await triesOf(first!.id)) >= 3);
    const last = await waits();
    assert.deepEqual([last!.id, last!.state, last!.attempts], [first!.id, 'waiting', 0]);
  });

  it('sets aside what is refused for good, goes on with the next, and sends it again when asked', async () => {
    bad.behave((request) => ({ status: request.body.includes('poison') ? 422 : 200 }));
    await whole.send({ id: 'p-1', thread: 'a', from: { id: 'u-a' }, text: 'poison' });
    await write('a', 2);
    await drain('bad', 1100);
    const dead = (await deliveries('bad')).filter((each) => each.state === 'dead');
    assert.ok(dead.length >= 1);
    assert.match(dead[0]!.error!, /422/);
    assert.equal(understood(bad.requests).length, 3, 'it was tried once, the others arrived');
    bad.behave('ok');
    const before = bad.requests.length;
    const { count: counted } = await whole.api<{ count: number }>('/deliveries/replay', {
      method: 'POST',
      body: { destination: 'bad', state: 'dead', dryRun: true },
    });
    assert.equal(counted, dead.length);
    await whole.api('/deliveries/replay', { method: 'POST', body: { destination: 'bad', state: 'dead' } });
    await pass(1100, 1100);
    await drain('bad', 1100);
    assert.ok(understood(bad.requests.slice(before)).includes('p-1'));
    assert.equal((await deliveries('bad')).filter((each) => each.state === 'dead').length, 0);
  });

  it('hears once that a delivery was given up, and not of its own refusal of that', async () => {
    bad.behave({ status: 422 });
    await write('a');
    await pass(10_000, 1100);
    const calls = bad.requests.length;
    await pass(HOUR);
    assert.equal(bad.requests.length, calls, 'it has come to an end');
    const types = (await deliveries('bad')).map((each) => each.type);
    assert.equal(types.filter((type) => type === 'delivery.exhausted').length, 3, types.join());
  });

  it('is not called again after 410, keeps what waits, and goes on when an operator resumes it', async () => {
    bad.behave({ status: 410 });
    await write('a', 2);
    await pass(HOUR);
    const calls = bad.requests.length;
    await write('b');
    await pass(5 * HOUR);
    assert.equal(bad.requests.length, calls);
    bad.behave('ok');
    await whole.api('/destinations/bad/resume', { method: 'POST', body: {} });
    await drain('bad', 1100);
    assert.equal(understood(bad.requests, (index) => index >= calls).length, 3);
  });

  it('goes on after a restart where it was', async () => {
    bad.behave({ status: 500 });
    await write('a', 3);
    await pass(MINUTE, 10_000);
    await whole.restart();
    bad.behave('ok');
    await drain('bad', 5 * MINUTE);
    const got = understood(bad.requests);
    assert.deepEqual(got, inOrder(got));
    assert.equal(got.length, 3);
  });

  it('does not hold up another one while it hangs', async () => {
    bad.behave('hang');
    for (let i = 0; i < 12; i++) await write(`thread-${i}`);
    await drain('good', 1100);
    assert.equal(understood(good.requests).length, 12);
    assert.ok(bad.requests.length <= 8, 'no more than so many at once');
  });
});

function threadOf(requests: readonly Received[], thread: string): Received[] {
  return requests.filter((request) => request.body.includes(`"u-${thread}"`));
}
