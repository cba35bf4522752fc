import assert from 'node:assert/strict';
import type { Channel } from '../src/core/connector.ts';
import { RetryableError } from '../src/core/errors.ts';
import { openHost, said, type Host } from './fakes/runner.ts';

type Poll = NonNullable<Channel['poll']>;
type Emit = Parameters<NonNullable<Channel['stream']>>[1];

const MINUTE = 60_000;
const never = () => new Promise<never>(() => undefined);

describe('a channel that streams', () => {
  let host: Host;
  beforeEach(async () => {
    host = await openHost();
  });
  afterEach(() => host.close());

  describe('what comes in', () => {
    it('goes on behind the last cursor when it broke off', async () => {
      const begun: (string | undefined)[] = [];
      host.add('mail', {
        async stream(cursor, emit) {
          begun.push(cursor);
          const first = Number(cursor ?? 0);
          await emit(said(`m${first}`), String(first + 1));
          throw new RetryableError('connection reset');
        },
      });
      host.runner.start();
      await host.until(async () => (await host.inboundOf('mail')).failures === 1, 'the end of the first');
      await host.filing.clock.advance(1000);
      await host.until(async () => (await host.filedOf('mail')).length === 2, 'two messages');
      assert.deepEqual(begun, [undefined, '1']);
      assert.deepEqual(await host.filedOf('mail'), ['m0', 'm1']);
      const [event] = await host.eventsOf('mail');
      assert.equal((await host.filing.store.read.payload(event!.payloadId))?.method, 'STREAM');
    });

    it('is started again also when it ends by itself', async () => {
      let begun = 0;
      host.add('mail', {
        async stream() {
          begun++;
        },
      });
      host.runner.start();
      await host.until(async () => (await host.inboundOf('mail')).failures === 1, 'a failure');
      await host.filing.clock.advance(1000);
      await host.until(() => begun === 2, 'a second one');
    });

    /** Starts a stream that runs until it is aborted; answers with its `emit`. */
    async function streaming(id = 'mail'): Promise<{ emit: Emit; begun: () => number; ended: () => number }> {
      let emit: Emit | undefined;
      const counts = { begun: 0, ended: 0 };
      host.add(id, {
        stream: (_cursor, given, signal) => {
          emit = given;
          counts.begun++;
          return new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => {
              counts.ended++;
              resolve();
            });
          });
        },
      });
      host.runner.start();
      await host.until(() => emit, 'a stream');
      return { emit: (...call) => emit!(...call), begun: () => counts.begun, ended: () => counts.ended };
    }

    it('has stored what it emitted when emit resolves, many at a time', async () => {
      const { emit } = await streaming();
      await Promise.all(['a', 'b', 'c'].map((id) => emit(said(id))));
      assert.deepEqual((await host.filedOf('mail')).toSorted(), ['a', 'b', 'c']);
    });

    it('lets no cursor pass what is not stored yet, and starts anew when that fails', async () => {
      const { emit, begun, ended } = await streaming();
      let letGo: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (letGo = resolve));
      host.write = async (store, locks, work) => {
        if (locks.includes('message slow')) await held;
        if (locks.includes('message slow')) throw new RetryableError('the disk is full');
        return store.write(locks, work);
      };
      const all = Promise.allSettled([emit(said('slow')), emit(said('b'), '2'), emit(said('c'), '3')]);
      await host.settle();
      assert.equal(await host.filing.store.read.cursor('mail'), undefined);
      letGo();
      assert.deepEqual(
        (await all).map(({ status }) => status),
        ['rejected', 'rejected', 'rejected'],
      );
      await host.until(() => ended() === 1, 'the end of the stream');
      await host.until(async () => (await host.inboundOf('mail')).lastError === 'the disk is full', 'why');
      await host.filing.clock.advance(1000);
      await host.until(() => begun() === 2, 'a new one');
      assert.deepEqual(await host.filedOf('mail'), []);
    });

    it('goes on when one without a cursor can’t be stored: who sent it is told', async () => {
      const { emit, begun, ended } = await streaming();
      host.write = () => Promise.reject(new RetryableError('the disk is full'));
      await assert.rejects(emit(said('a')), RetryableError);
      host.write = (store, ...call) => store.write(...call);
      await emit(said('a'));
      assert.deepEqual([await host.filedOf('mail'), begun(), ended()], [['a'], 1, 0]);
    });

    it('takes nothing more once it is stopped, and finishes what is on its way', async () => {
      const { emit } = await streaming();
      let letGo: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (letGo = resolve));
      host.write = async (store, locks, work) => {
        if (locks.includes('message slow')) await held;
        return store.write(locks, work);
      };
      const onItsWay = emit(said('slow'));
      let stopped = false;
      const stopping = host.runner.stop().then(() => (stopped = true));
      await host.settle();
      assert.equal(stopped, false);
      await assert.rejects(emit(said('late')), RetryableError);
      letGo();
      await Promise.all([onItsWay, stopping]);
      assert.deepEqual(await host.filedOf('mail'), ['slow']);
    });

    it('is well again once it has run for a while, though nothing came', async () => {
      let begun = 0;
      host.add('mail', {
        stream: (_cursor, _emit, signal) => {
          if (++begun === 1) throw new RetryableError('refused');
          return new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => {
              resolve();
            });
          });
        },
      });
      host.runner.start();
      await host.until(async () => (await host.inboundOf('mail')).failures === 1, 'a failure');
      await host.filing.clock.advance(1000);
      await host.until(() => begun === 2, 'a second one');
      await host.settle();
      assert.equal((await host.inboundOf('mail')).failures, 1);
      await host.filing.clock.advance(MINUTE);
      await host.until(async () => (await host.inboundOf('mail')).failures === 0, 'all is well');
    });
  });

  describe('while everything runs', () => {
    it('begins when it is made, ends before it is closed, and is never there twice', async () => {
      let running = 0;
      let most = 0;
      const poll: Poll = async (_cursor, signal) => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            resolve();
          });
        });
        await host.settle();
        running--;
        return { items: [said('late')], cursor: 'late' };
      };
      host.runner.start();
      host.add('bot', { poll });
      await host.runner.follow('bot');
      await host.until(() => running === 1, 'a poll');

      host.add('bot', { poll });
      await Promise.all([host.runner.follow('bot'), host.runner.retry('bot'), host.runner.follow('bot')]);
      await host.until(() => running === 1, 'a poll of the new one');
      await host.settle();
      assert.equal(most, 1);

      host.channels.delete('bot');
      await host.runner.follow('bot');
      assert.equal(running, 0);
      await host.filing.clock.advance(MINUTE);
      assert.deepEqual([await host.filedOf('bot'), await host.filing.store.read.cursor('bot')], [[], undefined]);
    });

    it('leaves one alone that did not change', async () => {
      let polls = 0;
      host.add('bot', {
        poll: () => {
          polls++;
          return never();
        },
      });
      host.runner.start();
      await host.until(() => polls === 1, 'a poll');
      await host.runner.follow('bot');
      await host.settle();
      assert.equal(polls, 1);
    });

    it('stops also when one ignores that it should', async () => {
      let polls = 0;
      const poll: Poll = () => {
        polls++;
        return never();
      };
      host.add('bot', { poll });
      host.runner.start();
      await host.until(() => polls === 1, 'a poll');
      await host.stop();
      host.add('bot', { poll });
      await host.runner.follow('bot');
      await host.settle();
      assert.equal(polls, 1, 'nothing begins any more');
    });

    it('stops also when what came in can’t be filed', async () => {
      host.add('mail', {
        async stream(_cursor, emit) {
          await emit(said('slow'), '1');
        },
      });
      let begun = false;
      let letGo: () => void = () => undefined;
      host.write = async (store, locks, work) => {
        if (!locks.includes('message slow')) return store.write(locks, work);
        begun = true;
        await new Promise<void>((resolve) => (letGo = resolve));
        throw new RetryableError('too late');
      };
      host.runner.start();
      await host.until(() => begun, 'a message');
      await host.stop();
      assert.ok(host.log.entries.some(({ text }) => text.includes('fetched again')));
      letGo();
    });

    it('connects until that succeeds, once, before anything is fetched', async () => {
      const done: string[] = [];
      host.add('bot', {
        async connect() {
          done.push('connect');
          if (done.length === 1) throw new RetryableError('409 Conflict');
        },
        async poll() {
          done.push('poll');
          return { items: [], cursor: '1' };
        },
      });
      let hooked = 0;
      host.add('hook', {
        async connect() {
          hooked++;
        },
      });
      host.runner.start();
      await host.until(async () => (await host.inboundOf('bot')).lastError === '409 Conflict', 'a failure');
      await host.filing.clock.advance(1000);
      await host.until(() => done.includes('poll'), 'a poll');
      await host.filing.clock.advance(MINUTE);
      assert.deepEqual(done.slice(0, 3), ['connect', 'connect', 'poll']);
      assert.equal(done.filter((each) => each === 'connect').length, 2);
      assert.equal(hooked, 1);
    });
  });
});
