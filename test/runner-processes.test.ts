import assert from 'node:assert/strict';
import type { Runner } from '../src/connectors/runner.ts';
import type { Raw } from '../src/core/connector.ts';
import { openHost, said, type Host } from './fakes/runner.ts';

describe('a channel of several processes', () => {
  let host: Host;
  /** In another process, on the same store. */
  let other: Runner;
  beforeEach(async () => {
    host = await openHost();
    other = await host.beside('second');
  });
  afterEach(async () => {
    await Promise.all([other.stop(), host.filing.clock.advance(10_000)]);
    await host.close();
  });
  const write = (work: Parameters<typeof host.filing.store.write>[1]) => host.filing.store.write([], work);
  const cursor = () => host.filing.store.read.cursor('chat');

  /** A list of a vendor, a page for each message; `asked` are the cursors of the polls. */
  function list(messages: readonly string[]) {
    const asked: (string | undefined)[] = [];
    const poll = async (from: string | undefined) => {
      asked.push(from);
      const at = Number(from ?? 0);
      const items: Raw[] = messages.slice(at, at + 1).map(said);
      return { items, cursor: String(Math.min(at + 1, messages.length)), more: at + 1 < messages.length };
    };
    return { poll, asked };
  }

  it('is polled by one of them, and by another one where that left off when it is gone', async () => {
    const messages = ['a', 'b'];
    const { poll, asked } = list(messages);
    host.add('chat', { poll });
    host.runner.start();
    await host.until(async () => (await cursor()) === '2', 'both');
    other.start();
    await other.look();
    await host.filing.clock.advance(60_000);
    await host.settle();
    const polls = asked.length;
    await host.runner.stop();
    await write((tx) => tx.endProcess('first'));
    messages.push('c');
    await other.look();
    await host.until(async () => (await cursor()) === '3', 'the third');
    assert.deepEqual(asked.slice(polls), ['2'], 'nobody else polled meanwhile, and it went on there');
    assert.deepEqual(await host.filedOf('chat'), ['a', 'b', 'c']);
  });

  it('keeps its cursor when the one that had it wakes up late, which then leaves it alone', async () => {
    const asked: (string | undefined)[] = [];
    let wake: (page: { items: Raw[]; cursor: string }) => void = () => undefined;
    host.add('chat', {
      poll: async (from) => {
        asked.push(from);
        if (asked.length === 1) return new Promise((resolve) => (wake = resolve));
        return { items: from === '9' ? [] : [said('a'), said('b')], cursor: '9' };
      },
    });
    host.runner.start();
    await host.until(() => asked.length === 1, 'the first asks');
    await write((tx) => tx.endProcess('first'));
    other.start();
    await other.look();
    await host.until(async () => (await cursor()) === '9', 'the second has filed');
    wake({ items: [said('a')], cursor: '1' });
    await host.settle();
    assert.deepEqual([await cursor(), asked], ['9', [undefined, undefined]]);
    assert.deepEqual(await host.filedOf('chat'), ['a', 'b']);
    assert.deepEqual(
      host.log.entries.filter(({ level }) => level !== 'debug'),
      [],
      'that is no failure of the channel',
    );
    assert.equal((await host.inboundOf('chat')).failures, 0);
  });

  it('is left by the one that was given up as soon as it looks', async () => {
    const { poll, asked } = list([]);
    host.add('chat', { poll });
    host.runner.start();
    await host.until(() => asked.length === 1, 'the first polls');
    await write((tx) => tx.endProcess('first'));
    await write((tx) => tx.takeChannel('chat', 'second'));
    await host.runner.look();
    const polls = asked.length;
    await host.filing.clock.advance(60_000);
    await host.settle();
    assert.equal(asked.length, polls);
  });

  it('is not filled any more from a stream that another one has taken over', async () => {
    let emit: (raw: Raw, cursor?: string) => Promise<void> = () => Promise.resolve();
    let streams = 0;
    host.add('chat', {
      stream: (_cursor, given, signal) => {
        streams++;
        emit = given;
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
      },
    });
    host.runner.start();
    await host.until(() => streams === 1, 'it streams');
    await emit(said('a'), '1');
    await write((tx) => tx.freeChannel('chat'));
    await write((tx) => tx.takeChannel('chat', 'second'));
    await assert.rejects(emit(said('b'), '2'));
    await host.settle();
    assert.deepEqual([await cursor(), await host.filedOf('chat'), streams], ['1', ['a'], 1]);
  });

  it('begins anew when an operator repairs it in a process that does not have it', async () => {
    let broken = true;
    let polls = 0;
    host.add('chat', {
      poll: async () => {
        polls++;
        if (broken) throw new Error('the password is wrong');
        return { items: [], cursor: 'x' };
      },
    });
    host.runner.start();
    await host.until(async () => (await host.inboundOf('chat')).failures === 1, 'a failure');
    broken = false;
    await other.retry('chat');
    await host.runner.look();
    await host.until(async () => (await cursor()) === 'x', 'it works');
    assert.equal(polls, 2);
  });

  it('is taken at the next look when the store could not be reached at the start', async () => {
    const { poll } = list(['a']);
    host.add('chat', { poll });
    host.write = () => Promise.reject(new Error('the store is away'));
    host.runner.start();
    await host.until(() => host.log.entries.length === 1, 'a complaint');
    host.write = (store, ...call) => store.write(...call);
    await host.runner.look();
    await host.until(async () => (await cursor()) === '1', 'it is polled');
  });
});
