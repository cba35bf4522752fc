import assert from 'node:assert/strict';
import type { Channel } from '../src/core/connector.ts';
import { AuthExpiredError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import type { Transaction } from '../src/core/store.ts';
import { openHost, said, type Host } from './fakes/runner.ts';

type Poll = NonNullable<Channel['poll']>;

const MINUTE = 60_000;
const never = () => new Promise<never>(() => undefined);

describe('a channel that is polled', () => {
  let host: Host;
  beforeEach(async () => {
    host = await openHost();
  });
  afterEach(() => host.close());

  const errorsIn = () => host.log.entries.filter(({ level }) => level === 'error');

  /** A vendor's list, given out in pages; the cursor is how many were given out. */
  function listOf(all: readonly string[], pageSize: number): { readonly poll: Poll; readonly asked: string[] } {
    const asked: string[] = [];
    return {
      asked,
      async poll(cursor = '0') {
        asked.push(cursor);
        const end = Math.min(Number(cursor) + pageSize, all.length);
        return { items: all.slice(Number(cursor), end).map(said), cursor: String(end), more: end < all.length };
      },
    };
  }

  describe('in order', () => {
    it('files everything in order, page by page, and goes on there after a restart', async () => {
      const { poll, asked } = listOf(['a', 'b', 'c', 'd', 'e'], 2);
      host.add('chat', { poll });
      host.runner.start();
      await host.until(async () => (await host.filedOf('chat')).length === 5, 'five messages');
      assert.deepEqual(await host.filedOf('chat'), ['a', 'b', 'c', 'd', 'e']);
      assert.deepEqual(asked, ['0', '2', '4'], 'no page twice, no rest between them');
      await host.killAndRestart();
      await host.until(() => asked.length === 4, 'a poll after the restart');
      assert.equal(asked[3], '5');
    });

    it('hands over what was fetched as it is: bytes, headers in lower case, by poll', async () => {
      host.add('chat', {
        async poll(cursor) {
          const body = said('a').body;
          return cursor ? { items: [], cursor } : { items: [{ body, headers: { 'X-Folder': 'INBOX' } }], cursor: '1' };
        },
      });
      host.runner.start();
      await host.until(async () => (await host.eventsOf('chat')).length === 1, 'a message');
      const payload = await host.filing.store.read.payload((await host.eventsOf('chat'))[0]!.payloadId);
      assert.equal(payload?.method, 'POLL');
      assert.deepEqual({ ...payload.headers }, { 'x-folder': 'INBOX' });
    });

    it('loses and doubles nothing when the process dies within a page', async () => {
      const { poll, asked } = listOf(['a', 'b', 'c', 'd'], 3);
      host.add('chat', { poll });
      let filed = 0;
      host.write = async (store, locks, work) => {
        if (filed >= 2) throw new RetryableError('the process is gone');
        const result = await store.write(locks, work);
        if (locks.some((lock) => lock.startsWith('message'))) filed++;
        return result;
      };
      host.runner.start();
      await host.until(() => filed === 2, 'two of three');
      await host.killAndRestart();
      await host.until(async () => (await host.filedOf('chat')).length === 4, 'all of them');
      assert.deepEqual(await host.filedOf('chat'), ['a', 'b', 'c', 'd']);
      assert.deepEqual(asked, ['0', '0', '3'], 'the page that was cut off came again as a whole');
      assert.deepEqual((await host.outcomesOf('chat')).slice(2, 4), ['duplicate', 'duplicate']);
    });

    it('saves the cursor with the last of its page: neither is there without the other', async () => {
      const { poll } = listOf(['a', 'b'], 2);
      host.add('chat', { poll });
      let refused = 0;
      host.write = (store, locks, work) =>
        store.write(locks, (tx) =>
          work({
            ...tx,
            saveCursor: () => {
              refused++;
              return Promise.reject(new RetryableError('killed at this statement'));
            },
          } satisfies Transaction),
        );
      host.runner.start();
      await host.until(() => refused > 0, 'a cursor');
      await host.settle();
      assert.deepEqual(await host.filedOf('chat'), ['a']);
      assert.equal(await host.filing.store.read.cursor('chat'), undefined);
      await host.killAndRestart();
      await host.until(async () => (await host.filing.store.read.cursor('chat')) === '2', 'the cursor');
      assert.deepEqual(await host.filedOf('chat'), ['a', 'b']);
    });

    it('moves on over a page in which nothing was', async () => {
      const asked: (string | undefined)[] = [];
      host.add('chat', {
        async poll(cursor) {
          asked.push(cursor);
          return { items: [], cursor: 'behind', more: cursor === undefined };
        },
      });
      host.runner.start();
      await host.until(() => asked.length === 2, 'a second poll');
      assert.deepEqual(asked, [undefined, 'behind']);
    });

    it('rests between polls, counted from the beginning of the last, as long as the channel says', async () => {
      let polls = 0;
      const poll: Poll = async () => {
        polls++;
        return { items: [], cursor: 'same', more: true };
      };
      host.add('chat', { poll, pollEveryMs: 2000 });
      host.runner.start();
      // The first one moved the cursor; the second leads nowhere, whatever it says.
      await host.until(() => polls === 2, 'two polls');
      await host.settle();
      assert.equal(polls, 2);
      await host.filing.clock.advance(1999);
      await host.settle();
      assert.equal(polls, 2);
      await host.filing.clock.advance(1);
      await host.until(() => polls === 3, 'the next poll');
    });

    it('goes on at once after a poll that waited at the vendor’s', async () => {
      let polls = 0;
      let answer: () => void = () => undefined;
      const poll: Poll = async () => {
        polls++;
        await new Promise<void>((resolve) => (answer = resolve));
        return { items: [], cursor: 'same' };
      };
      host.add('chat', { poll });
      host.runner.start();
      await host.until(() => polls === 1, 'a poll');
      await host.filing.clock.advance(30_000);
      answer();
      await host.until(() => polls === 2, 'the next poll');
    });

    it('polls at once when a notification says that there is something, also while it polls', async () => {
      let polls = 0;
      let answer: (() => void) | undefined;
      const poll: Poll = async () => {
        polls++;
        if (polls === 2) await new Promise<void>((resolve) => (answer = resolve));
        return { items: [], cursor: 'same' };
      };
      host.add('chat', { poll });
      host.runner.start();
      await host.until(() => polls === 1, 'a poll');
      await host.settle();
      const [woken] = await host.filing.file({ kind: 'wake' });
      assert.equal(woken?.outcome, 'ignored');
      await host.until(() => polls === 2 && answer, 'a second poll');
      host.runner.wake('chat');
      answer?.();
      await host.until(() => polls === 3, 'a third poll');
      await host.settle();
      assert.equal(polls, 3);
    });

    it('gives up a poll that hangs, and asks again', async () => {
      let polls = 0;
      let aborted = 0;
      host.add('chat', {
        poll: (_cursor, signal) => {
          signal.addEventListener('abort', () => aborted++);
          return ++polls === 1 ? never() : Promise.resolve({ items: [said('a')], cursor: '1' });
        },
      });
      host.runner.start();
      await host.until(() => polls === 1, 'a poll');
      await host.filing.clock.advance(5 * MINUTE);
      assert.equal(aborted, 1);
      await host.filing.clock.advance(5000);
      await host.until(async () => (await host.inboundOf('chat')).failures === 1, 'a failure');
      assert.match((await host.inboundOf('chat')).lastError!, /nothing came back within 300 s/);
      await host.filing.clock.advance(1000);
      await host.until(async () => (await host.filedOf('chat')).length === 1, 'a message');
    });
  });

  it('says that it took too long, whatever the interrupted poll says', async () => {
    host.add('chat', {
      poll: (_cursor, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('This operation was aborted'));
          });
        }),
    });
    host.runner.start();
    await host.settle();
    await host.filing.clock.advance(5 * MINUTE);
    await host.until(async () => (await host.inboundOf('chat')).failures === 1, 'a failure');
    assert.match((await host.inboundOf('chat')).lastError!, /nothing came back/);
  });

  describe('and fails', () => {
    it('is tried again, later each time, and is well after a success', async () => {
      let polls = 0;
      let down = true;
      host.add('chat', {
        async poll() {
          polls++;
          if (down) throw new RetryableError('502 from the vendor');
          return { items: [], cursor: '1' };
        },
      });
      host.runner.start();
      for (const [tries, rest] of [
        1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000,
      ].entries()) {
        await host.until(async () => (await host.inboundOf('chat')).failures === tries + 1, `failure ${tries + 1}`);
        await host.settle();
        await host.filing.clock.advance(rest - 1);
        await host.settle();
        assert.equal(polls, tries + 1, 'not before its time');
        if (tries === 9) down = false;
        await host.filing.clock.advance(1);
        await host.until(() => polls === tries + 2, `try ${tries + 2}`);
      }
      await host.until(async () => (await host.inboundOf('chat')).failures === 0, 'all is well');
      assert.equal((await host.inboundOf('chat')).lastError, '502 from the vendor', 'what it was can still be read');
      assert.deepEqual(await host.alarms(), ['degraded', 'healthy']);

      // What was is forgotten: the next failure is a first one.
      down = true;
      await host.filing.clock.advance(5000);
      await host.until(async () => (await host.inboundOf('chat')).failures === 1, 'a failure');
      await host.settle();
      down = false;
      await host.filing.clock.advance(1000);
      await host.until(async () => (await host.inboundOf('chat')).failures === 0, 'all is well again');
      assert.equal(errorsIn().length, 1, 'one alarm in the log');
    });

    it('waits as long as the vendor asks for, and that is no failure', async () => {
      let polls = 0;
      host.add('chat', {
        async poll() {
          if (++polls === 1) throw new RateLimitedError('slow down', 90_000);
          return { items: [], cursor: '1' };
        },
      });
      host.runner.start();
      await host.until(async () => (await host.inboundOf('chat')).lastError === 'slow down', 'its words');
      assert.equal((await host.inboundOf('chat')).failures, 0);
      host.runner.wake('chat');
      await host.filing.clock.advance(89_999);
      await host.settle();
      assert.equal(polls, 1, 'a notification is no reason to ask earlier');
      await host.filing.clock.advance(1);
      await host.until(() => polls === 2, 'the next poll');
    });

    it('says once that it needs new credentials, over restarts too, and tries them rarely', async () => {
      let polls = 0;
      let refused = true;
      host.add('mail', {
        async poll() {
          polls++;
          if (refused) throw new AuthExpiredError('535 bad password', { hint: 'Set a new password.' });
          return { items: [], cursor: '1' };
        },
      });
      host.runner.start();
      await host.until(async () => (await host.inboundOf('mail')).needsReauth, 'the alarm');
      await host.filing.clock.advance(15 * MINUTE - 1);
      await host.settle();
      assert.equal(polls, 1);
      await host.filing.clock.advance(1);
      await host.until(async () => (await host.inboundOf('mail')).failures === 2, 'a second try');
      await host.killAndRestart();
      await host.until(async () => (await host.inboundOf('mail')).failures === 3, 'a third try');
      assert.deepEqual(await host.alarms(), ['needs_reauth']);
      const [told, ...more] = errorsIn();
      assert.deepEqual([(told!.fields as { hint: string }).hint, more], ['Set a new password.', []]);

      refused = false;
      await host.runner.retry('mail');
      await host.until(async () => !(await host.inboundOf('mail')).needsReauth, 'the end of it');
      assert.deepEqual(await host.alarms(), ['needs_reauth', 'healthy']);
    });

    it('doesn’t pass what the store can’t take', async () => {
      const { poll, asked } = listOf(['a', 'b'], 1);
      host.add('chat', { poll });
      let writes = 0;
      // The channel is taken, and then the disk is full.
      host.write = (store, ...call) =>
        writes++ === 0 ? store.write(...call) : Promise.reject(new RetryableError('the disk is full'));
      host.runner.start();
      await host.until(() => host.log.entries.length > 0, 'a complaint');
      await host.settle();
      assert.deepEqual(asked, ['0']);
      host.write = (store, ...call) => store.write(...call);
      await host.filing.clock.advance(1000);
      await host.until(async () => (await host.filedOf('chat')).length === 2, 'both');
      assert.deepEqual(asked, ['0', '0', '1']);
    });

    it('doesn’t hold up another one', async () => {
      host.add('hanging', { poll: never });
      host.add('failing', { poll: () => Promise.reject(new AuthExpiredError('no')) });
      host.add('broken', {
        poll() {
          throw new TypeError('a bug');
        },
      });
      host.add('chat', { poll: listOf(['a'], 1).poll });
      host.runner.start();
      await host.until(async () => (await host.filedOf('chat')).length === 1, 'a message');
      await host.until(async () => (await host.inboundOf('broken')).lastError === 'a bug', 'the bug');
    });
  });

  describe('with mail that nobody can read', () => {
    it('quarantines it once, raises one alarm, and files what stands before and behind it', async () => {
      const poison = { body: Buffer.from('{') };
      const list = [said('a'), poison, poison, poison, poison, poison, poison, said('b')];
      let polls = 0;
      host.add('mail', {
        async poll(cursor = '0') {
          polls++;
          const end = Math.min(Number(cursor) + 3, list.length);
          return { items: list.slice(Number(cursor), end), cursor: String(end), more: end < list.length };
        },
      });
      host.runner.start();
      await host.until(async () => (await host.filedOf('mail')).length === 2, 'the good ones');
      await host.filing.clock.advance(MINUTE);
      await host.until(() => polls > 3, 'polls');
      await host.settle();
      const outcomes = await host.outcomesOf('mail');
      assert.deepEqual(outcomes, ['ticket_created', ...Array<string>(6).fill('quarantined'), 'appended']);
      assert.deepEqual(await host.alarms(), ['degraded']);
      assert.equal(host.log.entries.filter(({ text }) => text.includes('quarantined')).length, 6);
      const bad = (await host.eventsOf('mail'))[1]!;
      assert.deepEqual((await host.filing.store.read.payload(bad.payloadId))?.body, poison.body);
    });
  });
});
