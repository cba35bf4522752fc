import assert from 'node:assert/strict';
import type { Channel, Raw } from '../src/core/connector.ts';
import { AuthExpiredError, RetryableError } from '../src/core/errors.ts';
import { message } from './fakes/filing.ts';
import { openHost, said, type Host } from './fakes/runner.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe('a vendor who never sends again', () => {
  let host: Host;
  /** What he holds, and since when he was asked for it, counted from the beginning. */
  let held: Raw[];
  let asked: number[];
  /** What he does before he hands over the next one. */
  let before: (index: number, signal: AbortSignal) => Promise<void>;
  let start: number;

  beforeEach(async () => {
    host = await openHost();
    start = host.filing.clock.now();
    held = [];
    asked = [];
    before = async () => undefined;
  });
  afterEach(() => host.close());

  const reconcile: Channel['reconcile'] = async function* (since, signal) {
    asked.push(since - start);
    for (const [index, raw] of [...held, undefined].entries()) {
      await before(index, signal);
      if (raw) yield raw;
    }
  };
  const stateOf = (id = 'chat') => host.filing.store.write([], (tx) => tx.endpointState(id));
  const passes = (count: number) =>
    host.until(async () => asked.length === count && (await stateOf()).reconciledAt !== null, `pass ${count}`);
  const push = (externalId: string) => host.filing.file(message('chat|anna', { externalId }), 'chat');
  const warned = () => host.log.entries.filter(({ text }) => text.includes('had not delivered'));

  it('is asked at the start for what waits since an hour, and what was missing is filed and counted', async () => {
    await push('a');
    held = [said('a'), said('b'), said('c')];
    host.add('chat', { reconcile });
    host.runner.start();
    await passes(1);
    assert.deepEqual(asked, [-HOUR]);
    assert.deepEqual(await host.filedOf('chat'), ['a', 'b', 'c']);
    assert.deepEqual(await host.outcomesOf('chat'), ['ticket_created', 'duplicate', 'appended', 'appended']);
    const { missed, reconciledAt } = await stateOf();
    assert.deepEqual([missed, reconciledAt], [2, start]);
    assert.deepEqual(
      warned().map(({ fields }) => (fields as { found: number }).found),
      [2],
    );
    const payload = await host.filing.store.read.payload((await host.eventsOf('chat')).at(-1)!.payloadId);
    assert.equal(payload?.method, 'RECONCILE');
  });

  it('is asked every hour, from ten minutes before the last time, and says nothing when nothing was missing', async () => {
    held = [said('a')];
    host.add('chat', { reconcile });
    host.runner.start();
    await passes(1);
    await host.settle();
    await host.filing.clock.advance(HOUR - 1);
    await host.settle();
    assert.equal(asked.length, 1);
    await host.filing.clock.advance(1);
    await passes(2);
    await host.settle();
    assert.deepEqual(asked, [-HOUR, -10 * MINUTE]);
    assert.deepEqual([(await stateOf()).missed, warned().length], [1, 1]);
  });

  it('is asked for all that came while we were away, also where something was pushed since', async () => {
    host.add('chat', { reconcile });
    host.runner.start();
    await passes(1);
    await host.stop();
    host.filing.clock.jump(5 * HOUR);
    // The gateway is back, and hears of the newest one before it asks.
    await push('new');
    held = [said('while away'), said('new')];
    await host.killAndRestart();
    await passes(2);
    await host.until(async () => (await host.filedOf('chat')).length === 2, 'what was missing');
    assert.equal(asked[1], -10 * MINUTE);
  });

  it('is asked for no less when our clock was set back', async () => {
    host.add('chat', { reconcile });
    host.runner.start();
    await passes(1);
    await host.stop();
    host.filing.clock.jump(-24 * HOUR);
    const now = host.filing.clock.now() - start;
    await host.killAndRestart();
    await passes(2);
    assert.equal(asked[1], now + 10 * SECOND - 10 * MINUTE);
  });

  it('that breaks off is asked for the same again, and each message that was missing counts once', async () => {
    held = [said('a'), said('b'), said('c')];
    before = async (index) => {
      if (index === 2 && asked.length === 1) throw new RetryableError('502 from the vendor');
    };
    host.add('chat', { reconcile });
    host.runner.start();
    await host.until(async () => (await host.inboundOf('chat')).failures === 1, 'a failure');
    assert.equal((await host.inboundOf('chat')).lastError, '502 from the vendor');
    assert.equal((await stateOf()).reconciledAt, null);
    await host.settle();
    await host.filing.clock.advance(SECOND);
    await passes(2);
    assert.deepEqual(await host.filedOf('chat'), ['a', 'b', 'c']);
    await host.until(async () => (await host.inboundOf('chat')).failures === 0, 'all is well');
    assert.deepEqual([(await stateOf()).missed, asked[1]! - SECOND], [3, -HOUR]);
  });

  it('holds up nothing that is pushed while he is asked', async () => {
    before = () => new Promise(() => undefined);
    host.add('chat', { reconcile });
    host.runner.start();
    await host.until(() => asked.length === 1, 'a question');
    assert.equal((await push('a'))[0]!.outcome, 'ticket_created');
  });

  it('is given up when he says nothing at all for five minutes', async () => {
    before = () => new Promise(() => undefined);
    host.add('chat', { reconcile });
    host.runner.start();
    await host.until(() => asked.length === 1, 'a question');
    await host.settle();
    await host.filing.clock.advance(5 * MINUTE + 5 * SECOND);
    await host.until(async () => (await host.inboundOf('chat')).failures === 1, 'a failure');
  });

  it('is given up when he falls silent for five minutes, but not for being slow', async () => {
    held = [said('a'), said('b'), said('c')];
    let aborted = 0;
    before = async (index, signal) => {
      if (index === 3) {
        signal.addEventListener('abort', () => aborted++);
        await new Promise(() => undefined);
      }
      await host.filing.clock.sleep(4 * MINUTE, signal);
    };
    host.add('chat', { reconcile });
    host.runner.start();
    for (let count = 1; count <= 3; count++) {
      await host.settle();
      await host.filing.clock.advance(4 * MINUTE);
      await host.until(async () => (await host.filedOf('chat')).length === count, `message ${count}`);
    }
    await host.settle();
    await host.filing.clock.advance(5 * MINUTE);
    assert.equal(aborted, 1);
    await host.filing.clock.advance(5 * SECOND);
    await host.until(async () => (await host.inboundOf('chat')).failures === 1, 'a failure');
    assert.match((await host.inboundOf('chat')).lastError!, /nothing came back within 300 s/);
  });

  it('is not listened to any more once the channel is closed, and keeps it from nothing', async () => {
    held = [said('a'), said('b')];
    let goOn: () => void = () => undefined;
    before = (index) => (index === 1 ? new Promise<void>((resolve) => (goOn = resolve)) : Promise.resolve());
    host.add('chat', { reconcile });
    host.runner.start();
    await host.until(async () => (await host.filedOf('chat')).length === 1, 'the first');
    host.channels.delete('chat');
    let over = false;
    const closed = host.runner.follow('chat').then(() => (over = true));
    await host.settle();
    assert.equal(over, false, 'what asks is still there');
    await host.filing.clock.advance(5 * SECOND);
    await closed;
    host.channels.set('chat', { normalize: () => [] });
    goOn();
    await host.settle();
    assert.deepEqual(await host.filedOf('chat'), ['a']);
  });

  it('is asked at once when an operator says that it is repaired', async () => {
    host.add('chat', { reconcile });
    host.runner.start();
    await passes(1);
    await host.runner.retry('chat');
    await passes(2);
  });

  describe('and keeps a connection', () => {
    let emit: (externalId: string) => Promise<void>;
    let cut: (error: Error) => void;
    let streams: number;
    beforeEach(() => {
      streams = 0;
      host.add('chat', {
        reconcile,
        stream: (_cursor, give) =>
          new Promise((_resolve, reject) => {
            streams++;
            emit = (externalId) => give(said(externalId));
            cut = reject;
          }),
      });
    });

    it('is asked when it stands, and again each time that it stands again', async () => {
      host.runner.start();
      await passes(1);
      await host.until(() => streams === 1, 'a stream');
      await emit('a');
      await passes(2);
      await emit('b');
      await host.settle();
      assert.equal(asked.length, 2, 'not for each message');
      cut(new RetryableError('closed by the far side'));
      await host.until(async () => (await host.inboundOf('chat')).failures === 1, 'a failure');
      await host.settle();
      await host.filing.clock.advance(SECOND);
      await host.until(() => streams === 2, 'another stream');
      await host.settle();
      assert.equal(asked.length, 2);
      // Also when nobody says a word.
      await host.filing.clock.advance(MINUTE);
      await passes(3);
    });

    it('fails at one of the two without the other, and the channel is as well as the worse one', async () => {
      before = () => Promise.reject(new RetryableError('503 from the archive'));
      host.runner.start();
      for (const [tries, rest] of [1, 2, 4, 8].entries()) {
        await host.until(async () => (await host.inboundOf('chat')).failures === tries + 1, `failure ${tries + 1}`);
        await emit(`m-${tries}`);
        await host.settle();
        await host.filing.clock.advance(rest * SECOND);
      }
      await host.until(async () => (await host.alarms()).length === 1, 'the alarm');
      assert.equal((await host.filedOf('chat')).length, 4);
      cut(new RetryableError('closed by the far side'));
      await host.settle();
      await host.filing.clock.advance(SECOND);
      await host.until(() => streams === 2, 'another stream');
      await emit('after');
      await host.settle();
      assert.deepEqual(await host.alarms(), ['degraded'], 'a stream that works makes no archive well');
      before = async () => undefined;
      await host.filing.clock.advance(16 * SECOND);
      await host.until(async () => (await host.alarms()).length === 2, 'the end of the alarm');
      assert.deepEqual(await host.alarms(), ['degraded', 'healthy']);
    });
  });

  it('who refuses the credentials raises one alarm, which a restart doesn’t end, and is left in peace', async () => {
    before = () => Promise.reject(new AuthExpiredError('401 token revoked'));
    host.add('chat', { reconcile, connect: async () => undefined });
    host.runner.start();
    await host.until(async () => (await host.inboundOf('chat')).needsReauth, 'the alarm');
    await host.filing.clock.advance(15 * MINUTE - 1);
    await host.settle();
    assert.equal(asked.length, 1);
    await host.killAndRestart();
    await host.until(async () => (await host.inboundOf('chat')).failures === 2, 'another try');
    await host.settle();
    assert.deepEqual(await host.alarms(), ['needs_reauth']);
    before = async () => undefined;
    await host.filing.clock.advance(15 * MINUTE);
    await host.until(async () => !(await host.inboundOf('chat')).needsReauth, 'the end of it');
    assert.deepEqual(await host.alarms(), ['needs_reauth', 'healthy']);
  });
});
