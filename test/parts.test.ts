import assert from 'node:assert/strict';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { createPartsPoll } from '../src/core/parts.ts';
import type { Listed, Part, PartPage } from '../src/core/parts.ts';
import { fakeClock } from './fakes/clock.ts';

const signal = new AbortController().signal;
const NOW = Date.parse('2026-11-23T10:00:00Z');
const MINUTE = 60_000;

const listed = (key: string, text: string, at = NOW): Listed => ({ key, at, body: Buffer.from(text) });
const textsOf = (items: readonly { readonly body: Buffer }[]) => items.map(({ body }) => body.toString());

describe('A channel whose parts are asked in turn', () => {
  /** A part that answers what is put there next, and otherwise nothing. */
  function partOf(name: string, restMs = MINUTE, found: Readonly<Record<string, string>> = {}) {
    const answers: (Partial<PartPage> | Error)[] = [];
    const asked: unknown[] = [];
    const lookedFor: string[] = [];
    const part: Part = {
      name,
      async ask(state) {
        asked.push(state);
        const answer = answers.shift() ?? {};
        if (answer instanceof Error) throw answer;
        return { items: [], state: `${name} ${asked.length}`, restMs, ...answer };
      },
      async lookFor(key) {
        lookedFor.push(key);
        const text = found[key];
        return text === undefined ? undefined : { body: Buffer.from(text) };
      },
    };
    return { part, answers, asked, lookedFor };
  }
  type Sample = ReturnType<typeof partOf>;

  function open(...samples: readonly Sample[]) {
    const clock = fakeClock(NOW);
    const poll = createPartsPoll({ clock, parts: samples.map(({ part }) => part) });
    let cursor: string | undefined;
    return {
      clock,
      /** As the host does it: the cursor counts once its page is stored. */
      async poll({ isStored = true } = {}) {
        const page = await poll(cursor, signal);
        if (isStored) cursor = page.cursor;
        return page;
      },
    };
  }

  it('asks each once, one after the other, where its last page said, and then rests', async () => {
    const [a, b] = [partOf('a'), partOf('b', 5 * MINUTE)];
    const { poll, clock } = open(a, b);
    assert.deepEqual([(await poll()).more, (await poll()).more, (await poll()).items], [true, false, []]);
    assert.deepEqual([a.asked, b.asked], [[undefined], [undefined]]);
    clock.jump(MINUTE);
    await poll();
    await poll();
    assert.deepEqual([a.asked, b.asked.length], [[undefined, 'a 1'], 1]);
    clock.jump(-1e9);
    await poll();
    await poll();
    assert.equal(b.asked.length, 2, 'a clock that was set back holds nobody up');
  });

  it('lets none that always has more hold up the others', async () => {
    const [a, b, c] = [partOf('a', 0), partOf('b', 0), partOf('c', 0)];
    const { poll, clock } = open(a, b, c);
    for (let i = 0; i < 9; i++) {
      await poll();
      clock.jump(1);
    }
    assert.deepEqual([a.asked.length, b.asked.length, c.asked.length], [3, 3, 3]);
  });

  it('gets on with each when only one question an hour is allowed, and is no failure', async () => {
    const [a, b] = [partOf('a', 0), partOf('b', 0)];
    const { poll, clock } = open(a, b);
    a.answers.push({ state: 'page 2' }, new RateLimitedError('429', 60 * MINUTE));
    await poll();
    for (let i = 0; i < 6; i++) {
      clock.jump(1000);
      await poll();
    }
    assert.deepEqual(a.asked, [undefined, 'page 2']);
    assert.ok(b.asked.length >= 4);
    clock.jump(59 * MINUTE);
    await poll();
    await poll();
    assert.equal(a.asked.length, 2, 'as long as the vendor says');
    clock.jump(MINUTE);
    await poll();
    await poll();
    assert.ok(a.asked.length >= 3 && a.asked[2] === 'page 2', 'on where it was');
    a.answers.push(new RateLimitedError('429'));
    b.answers.push(new RateLimitedError('429'));
    await poll();
    await poll();
    const [many, also] = [a.asked.length, b.asked.length];
    await poll();
    assert.deepEqual([a.asked.length, b.asked.length], [many, also], 'a minute where nobody says how long');
  });

  it('says what one may not, asks for it again in an hour, and goes on with the others', async () => {
    const [a, b] = [partOf('a', 0), partOf('b', 0)];
    const { poll, clock } = open(a, b);
    a.answers.push(new PermanentError('not in your plan'));
    await assert.rejects(poll(), /not in your plan/);
    for (let i = 0; i < 5; i++) {
      clock.jump(MINUTE);
      await poll();
    }
    assert.deepEqual([a.asked.length, b.asked.length], [1, 5]);
    clock.jump(60 * MINUTE);
    await poll();
    assert.equal(a.asked.length, 2);
    a.answers.push(new RetryableError('503'));
    clock.jump(1);
    await assert.rejects(async () => {
      await poll();
      await poll();
    }, /503/);
    const before = a.asked.length;
    await poll();
    await poll();
    assert.equal(a.asked.length, before, 'what fails rests a minute');
  });

  it('asks for nothing else while its credentials are refused', async () => {
    const [a, b] = [partOf('a'), partOf('b')];
    const { poll } = open(a, b);
    a.answers.push(new AuthExpiredError('401'), new AuthExpiredError('401'));
    await assert.rejects(poll(), AuthExpiredError);
    await assert.rejects(poll(), AuthExpiredError);
    assert.equal(b.asked.length, 0);
  });

  it('hands over of a list what is new or has changed, and again what was never stored', async () => {
    const a = partOf('a', 0);
    const { poll, clock } = open(a);
    const pages = async (items: readonly Listed[], how = {}) => {
      clock.jump(1);
      a.answers.push({ items });
      return textsOf((await poll(how)).items);
    };
    const [one, two] = [listed('1', 'one'), listed('2', 'two')];
    assert.deepEqual(await pages([one, two], { isStored: false }), ['one', 'two']);
    assert.deepEqual(await pages([one, two]), ['one', 'two'], 'the store failed');
    assert.deepEqual(await pages([one, two]), []);
    assert.deepEqual(await pages([one, listed('2', 'two, edited')], { isStored: false }), ['two, edited']);
    assert.deepEqual(await pages([one, listed('2', 'two, edited')]), ['two, edited']);
    assert.deepEqual(await pages([one, listed('2', 'two, edited')]), []);
    assert.deepEqual(await pages([{ body: Buffer.from('event') }, { body: Buffer.from('event') }]), ['event', 'event']);
  });

  it('looks for what a list no longer names, once it was read whole, and for nothing that is too old for it', async () => {
    const a = partOf('a', 0, { 2: 'two is gone' });
    const { poll, clock } = open(a);
    const again = async (items: readonly Listed[], wholeSince?: number) => {
      clock.jump(1000);
      a.answers.push({ items, wholeSince });
      return textsOf((await poll()).items);
    };
    const items = [listed('1', 'one'), listed('2', 'two'), listed('3', 'three'), listed('4', 'four', NOW - 9e9)];
    await again(items, NOW - 1e10);
    await again([items[0]!]);
    await again([]);
    assert.deepEqual(a.lookedFor, [], 'not before the whole list was read');
    await again([listed('1', 'one')], NOW - 1e9);
    const found: string[] = [];
    for (let i = 0; i < 4; i++) {
      found.push(...textsOf((await poll()).items));
      clock.jump(1000);
    }
    assert.deepEqual(a.lookedFor, ['2', '3']);
    assert.deepEqual(found, ['two is gone']);
  });

  it('begins anew with a cursor that is not its own', async () => {
    const a = partOf('a', 0);
    const poll = createPartsPoll({ clock: fakeClock(NOW), parts: [a.part] });
    await poll('25493970', signal);
    await poll('{', signal);
    assert.deepEqual(a.asked, [undefined, undefined]);
  });
});
