import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  UncertainError,
} from '../src/core/errors.ts';
import type { EndpointState, Lease, Task } from '../src/core/rows.ts';
import { clampRetryAfter, DOWN_AFTER, restAfter, retryAfter } from '../src/queue/schedule.ts';
import { settle } from '../src/queue/settle.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NOW = Date.parse('2026-11-22T10:00:00Z');
const middle = () => 0.5;

const FRESH: EndpointState = {
  endpointId: 'crm',
  pausedUntil: null,
  pauseReason: null,
  needsReauth: false,
  disabledAt: null,
  failures: 0,
  lastInAt: null,
  lastOutAt: null,
  lastError: null,
  lastErrorAt: null,
  inbound: { failures: 0, needsReauth: false, lastError: null, lastErrorAt: null },
  quarantinedAt: null,
  reconciledAt: null,
  missed: 0,
};

function leaseOf(given: Partial<Task> = {}): Lease {
  const task: Task = {
    id: 'tsk_1',
    kind: 'deliver',
    endpointId: 'crm',
    ticketId: 'tkt_1',
    messageId: 'msg_1',
    changeSeq: 1,
    type: 'message.received',
    attachmentId: null,
    state: 'delivering',
    attempts: 1,
    uncertain: false,
    interruptions: 0,
    createdAt: NOW,
    ...given,
  };
  return { task, token: 'mine', attempt: 1 };
}

const TRANSCRIBE = { kind: 'transcribe', type: 'transcribe', endpointId: 'transcripts' } as const;

const verdictOn = (error: unknown, task: Partial<Task> = {}, state: Partial<EndpointState> = {}) =>
  settle(error, leaseOf(task), { ...FRESH, ...state }, { now: NOW, random: middle });

describe('what follows from a try', () => {
  it('that went well is the end, and the endpoint is well again', () => {
    const { result, endpoint } = verdictOn(undefined, {}, { failures: 12, needsReauth: true, pausedUntil: NOW });
    assert.deepEqual(result, { state: 'delivered' });
    const well = { failures: 0, lastOutAt: NOW, needsReauth: false, pausedUntil: null, pauseReason: null };
    assert.deepEqual(endpoint, well);
  });

  it('that went well does not end a pause that another one has asked for meanwhile', () => {
    const { endpoint } = verdictOn(undefined, {}, { needsReauth: true, pausedUntil: NOW + 3_600_000 });
    assert.deepEqual(endpoint, { failures: 0, lastOutAt: NOW });
  });

  it('that failed for the moment is another one, on the schedule', () => {
    const { result, endpoint } = verdictOn(new RetryableError('500'), { attempts: 3 });
    assert.deepEqual(result, { state: 'waiting', dueAt: NOW + 2 * MINUTE, countsAttempt: true, uncertain: false });
    assert.deepEqual(endpoint, { failures: 1, lastError: '500', lastErrorAt: NOW });
  });

  it('that broke in an unknown way is another one, and its outcome is unknown', () => {
    for (const error of [new TypeError('a bug'), 'text', null, 7]) {
      const { result } = verdictOn(error);
      assert.deepEqual(result, { state: 'waiting', dueAt: NOW + 5 * SECOND, countsAttempt: true, uncertain: true });
    }
    assert.equal(verdictOn('text').endpoint.lastError, 'text');
  });

  it('that a rate limit stopped is a pause of the endpoint, which costs nothing', () => {
    const { result, endpoint } = verdictOn(new RateLimitedError('slowly', 2 * MINUTE));
    const pausedUntil = NOW + 2 * MINUTE;
    assert.deepEqual(result, { state: 'waiting', dueAt: pausedUntil, countsAttempt: false, uncertain: false });
    const failed = { lastError: 'slowly', lastErrorAt: NOW };
    assert.deepEqual(endpoint, { ...failed, pausedUntil, pauseReason: 'slowly' });
  });

  it('whose credentials were refused is a pause of the endpoint, which costs nothing, and an alarm', () => {
    const { result, endpoint } = verdictOn(new AuthExpiredError('401'));
    assert.deepEqual([result.state, 'countsAttempt' in result && result.countsAttempt], ['waiting', false]);
    assert.equal(endpoint.needsReauth, true);
    assert.equal(endpoint.pausedUntil, NOW + 15 * MINUTE);
  });

  it('that was refused for good is a dead letter, and no fault of the endpoint', () => {
    for (const error of [new PermanentError('422'), new BadPayloadError('not as documented')]) {
      const { result, endpoint } = verdictOn(error, {}, { failures: 2 });
      assert.deepEqual(result, { state: 'dead' });
      assert.deepEqual(Object.keys(endpoint).toSorted(), ['lastError', 'lastErrorAt']);
    }
  });

  it('after which the endpoint is gone disables it and keeps the task', () => {
    const { result, endpoint } = verdictOn(new PermanentError('410', { gone: true }));
    assert.deepEqual([result.state, 'countsAttempt' in result && result.countsAttempt], ['waiting', false]);
    assert.equal(endpoint.disabledAt, NOW);
  });

  it('by which a file is gone is that file’s matter alone', () => {
    const { result, endpoint } = verdictOn(new PermanentError('410', { gone: true }), { kind: 'download' });
    assert.deepEqual([result.state, endpoint.disabledAt], ['dead', undefined]);
  });

  it('of which nobody knows what came is for a person to look at', () => {
    assert.deepEqual(verdictOn(new UncertainError('who knows')).result, { state: 'needs_check' });
  });

  it('that was the last one is a dead letter, or for a person when the outcome is unknown', () => {
    const attempts = 26;
    assert.deepEqual(verdictOn(new RetryableError('500'), { attempts }).result, { state: 'dead' });
    const unknown = new RetryableError('cut off', { outcomeUnknown: true });
    assert.deepEqual(verdictOn(unknown, { attempts }).result, { state: 'needs_check' });
    assert.deepEqual(verdictOn(new RetryableError('500'), { attempts, uncertain: true }).result, {
      state: 'needs_check',
    });
  });

  it('keeps in mind that an earlier one may have got through, until one says what came of it', () => {
    const errors = [
      new RetryableError('no connection'),
      new RateLimitedError('slowly'),
      new AuthExpiredError('401'),
      new PermanentError('410', { gone: true }),
    ];
    for (const error of errors) {
      for (const failures of [0, 50]) {
        const { result } = verdictOn(error, { uncertain: true }, { failures });
        assert.equal(result.state === 'waiting' && result.uncertain, true, error.name);
      }
    }
  });

  it('to an endpoint that failed ten times in a row costs nothing any more: it rests instead', () => {
    const before = verdictOn(new RetryableError('500'), {}, { failures: DOWN_AFTER - 2 });
    assert.equal(before.result.state === 'waiting' && before.result.countsAttempt, true);
    assert.equal(before.endpoint.pausedUntil, undefined);
    for (const [failures, rest] of [
      [DOWN_AFTER - 1, 5 * SECOND],
      [DOWN_AFTER, 30 * SECOND],
      [DOWN_AFTER + 1, 2 * MINUTE],
      [DOWN_AFTER + 2, 10 * MINUTE],
      [DOWN_AFTER + 1000, 10 * MINUTE],
    ] as const) {
      const { result, endpoint } = verdictOn(new RetryableError('500'), { attempts: 26 }, { failures });
      assert.deepEqual(result, { state: 'waiting', dueAt: NOW + rest, countsAttempt: false, uncertain: false });
      assert.equal(endpoint.pausedUntil, NOW + rest);
      assert.equal(endpoint.failures, failures + 1);
      assert.match(endpoint.pauseReason!, /failures in a row/);
    }
  });

  it('does not fill the store with what the far side says', () => {
    const { endpoint } = verdictOn(new RateLimitedError('x'.repeat(10_000)));
    assert.equal(endpoint.lastError!.length, 1000);
    assert.equal(endpoint.pauseReason!.length, 200);
  });

  it('never goes on before now, whatever happens', () => {
    const errors = fc.constantFrom<unknown>(
      new RetryableError('x'),
      new AuthExpiredError('x'),
      new PermanentError('x', { gone: true }),
      new Error('x'),
    );
    const limited = fc
      .oneof(fc.double(), fc.double({ min: 0, max: 1e8 }), fc.constantFrom(undefined, NaN))
      .map((ms) => new RateLimitedError('x', ms));
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.oneof(errors, limited), fc.nat(40), fc.nat(40), random, (error, attempts, failures, value) => {
        const state = { ...FRESH, failures };
        const { result } = settle(error, leaseOf({ attempts: attempts + 1 }), state, { now: NOW, random: () => value });
        if (result.state !== 'waiting') return;
        assert.ok(result.dueAt >= NOW && result.dueAt <= NOW + 24 * HOUR, String(result.dueAt));
        assert.ok(Number.isInteger(result.dueAt));
      }),
    );
  });
});

describe('the schedule', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  it('is 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, then every 4 h until 72 h have passed', () => {
    const waits: number[] = [];
    for (let wait = retryAfter(1, middle); wait !== undefined; wait = retryAfter(waits.length + 1, middle)) {
      waits.push(wait);
    }
    const first = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR];
    assert.deepEqual(waits.slice(0, 7), first);
    assert.ok(waits.slice(7).every((wait) => wait === 4 * HOUR));
    const sum = waits.reduce((a, b) => a + b, 0);
    assert.ok(sum >= 72 * HOUR && sum < 76 * HOUR, `${sum / HOUR} h`);
  });

  it('is spread by a fifth in both directions, so that not all come back at the same moment', () => {
    assert.deepEqual([retryAfter(3, () => 0), retryAfter(3, () => 1)], [96 * SECOND, 144 * SECOND]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 25 }), random, (attempts, value) => {
        const plain = retryAfter(attempts, middle)!;
        const wait = retryAfter(attempts, () => value)!;
        assert.ok(wait >= Math.floor(plain * 0.8) && wait <= Math.ceil(plain * 1.2));
      }),
    );
  });

  it('takes from a vendor no less than five seconds and no more than a day', () => {
    const cases: [number | undefined, number][] = [
      [undefined, 30 * SECOND],
      [0, 5 * SECOND],
      [-HOUR, 5 * SECOND],
      [MINUTE, MINUTE],
      [MINUTE + 0.4, MINUTE],
      [365 * 24 * HOUR, 24 * HOUR],
      [Infinity, 24 * HOUR],
      [NaN, 30 * SECOND],
    ];
    for (const [asked, expected] of cases) assert.equal(clampRetryAfter(asked), expected, String(asked));
  });

  it('rests at most ten minutes before an endpoint that is down is asked again', () => {
    fc.assert(
      fc.property(fc.integer({ min: DOWN_AFTER, max: 1e6 }), random, (failures, value) => {
        const rest = restAfter(failures, () => value);
        assert.ok(rest >= 4 * SECOND && rest <= 12 * MINUTE);
      }),
    );
  });

  it('gives a transcript few tries, whatever is asked for, and never blames where it came from', () => {
    const failures: readonly [unknown, number][] = [
      [new RetryableError('timed out', { outcomeUnknown: true }), 30 * SECOND],
      [new TypeError('who knows'), 30 * SECOND],
      [new RateLimitedError('slowly', 90 * SECOND), 90 * SECOND],
      [new RateLimitedError('slowly', 1), 30 * SECOND],
    ];
    for (const [error, wait] of failures) {
      const { result, endpoint } = verdictOn(error, { ...TRANSCRIBE, attempts: 2 }, { failures: DOWN_AFTER });
      assert.deepEqual(result, { state: 'waiting', dueAt: NOW + wait, countsAttempt: true, uncertain: false });
      assert.deepEqual(endpoint, {});
      assert.deepEqual(verdictOn(error, { ...TRANSCRIBE, attempts: 4 }), { result: { state: 'dead' }, endpoint: {} });
    }
    for (const error of [
      new PermanentError('no', { gone: true }),
      new AuthExpiredError('no'),
      new BadPayloadError('no'),
    ]) {
      assert.deepEqual(verdictOn(error, TRANSCRIBE), { result: { state: 'dead' }, endpoint: {} });
    }
    assert.deepEqual(verdictOn(undefined, TRANSCRIBE), { result: { state: 'delivered' }, endpoint: {} });
  });
});
