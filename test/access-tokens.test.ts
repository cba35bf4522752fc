import assert from 'node:assert/strict';
import { keepAccessTokens, withAccessToken } from '../src/core/access-tokens.ts';
import { AuthExpiredError, RetryableError } from '../src/core/errors.ts';
import { fakeClock } from './fakes/clock.ts';

describe('an access token', () => {
  /** A vendor whose tokens are t1, t2 …, each good for `seconds`. */
  function open(seconds = 3600) {
    const clock = fakeClock();
    let asked = 0;
    const ask = async () => {
      await new Promise(setImmediate);
      return { token: `t${++asked}`, seconds };
    };
    return { clock, tokens: keepAccessTokens(clock, ask), asked: () => asked };
  }
  const refused = () => Promise.reject(new AuthExpiredError('401'));

  it('is asked for once, however many want it, and again a minute before it ends', async () => {
    const { clock, tokens } = open();
    assert.deepEqual(await Promise.all([tokens.current(), tokens.current()]), ['t1', 't1']);
    clock.jump(3_539_000);
    assert.equal(await tokens.current(), 't1');
    clock.jump(1000);
    assert.equal(await tokens.current(), 't2');
  });

  it('is asked for again by the next who wants it when asking failed', async () => {
    let fails = true;
    const tokens = keepAccessTokens(fakeClock(), () =>
      fails ? Promise.reject(new RetryableError('down')) : Promise.resolve({ token: 't', seconds: 60 }),
    );
    await assert.rejects(tokens.current(), RetryableError);
    fails = false;
    assert.equal(await tokens.current(), 't');
  });

  it('that the vendor takes back before its time is replaced once in a call', async () => {
    const { tokens, asked } = open();
    const used: string[] = [];
    const call = (token: string) => {
      used.push(token);
      return token === 't2' ? Promise.resolve('done') : refused();
    };
    assert.equal(await withAccessToken(tokens, call), 'done');
    assert.deepEqual(used, ['t1', 't2']);
    assert.equal(await withAccessToken(tokens, call), 'done');
    await assert.rejects(withAccessToken(tokens, refused), AuthExpiredError);
    assert.equal(asked(), 3);
    assert.equal(await tokens.current(), 't4', 'the fresh one was refused too, and is not kept');
  });

  it('is not replaced for what has nothing to do with it', async () => {
    const { tokens, asked } = open();
    let calls = 0;
    const fail = () => {
      calls++;
      return Promise.reject(new RetryableError('503'));
    };
    await assert.rejects(withAccessToken(tokens, fail), RetryableError);
    assert.deepEqual([calls, asked()], [1, 1]);
  });
});
