import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
  textOf,
} from '../core/errors.ts';
import type { EndpointState, Lease, TaskResult } from '../core/rows.ts';
import { clampRetryAfter, DOWN_AFTER, restAfter, retryAfter } from './schedule.ts';

/** What follows from how a try ended. */
export interface Verdict {
  readonly result: TaskResult;
  readonly endpoint: Partial<Omit<EndpointState, 'endpointId'>>;
}

/** How long an endpoint whose credentials were refused rests before they are tried again. */
const REAUTH_MS = 15 * 60_000;
/** How long somebody's name is asked for; his next message asks anew, milliseconds. */
const PROFILE_GIVEN_UP_MS = 24 * 3_600_000;
const TRANSCRIPT_TRIES = 4;

/**
 * The only place that decides what a failure means: again, pause, disable, dead letter, or a person must
 * look. `error` is undefined after a success.
 */
export function settle(
  error: unknown,
  lease: Lease,
  state: EndpointState,
  clock: { readonly now: number; readonly random: () => number },
): Verdict {
  const { now } = clock;
  if (lease.task.kind === 'transcribe') return { result: transcriptResult(error, lease, clock), endpoint: {} };
  if (lease.task.kind === 'profile') return { result: profileResult(error, lease, clock), endpoint: {} };
  if (error === undefined) {
    const success = { failures: 0, lastOutAt: now };
    // A pause that still lasts came from another task while this one was on its way: that one knows better.
    const paused = state.pausedUntil !== null && state.pausedUntil > now;
    const endpoint = paused ? success : { ...success, needsReauth: false, pausedUntil: null, pauseReason: null };
    return { result: { state: 'delivered' }, endpoint };
  }
  const text = textOf(error);
  const failed = { lastError: text.slice(0, 1000), lastErrorAt: now };
  // Stopped before anything was done: what is unknown of an earlier try still is.
  const { uncertain } = lease.task;
  if (error instanceof RateLimitedError) {
    const pausedUntil = now + clampRetryAfter(error.retryAfterMs);
    return {
      result: again(pausedUntil, { attempt: 'free', uncertain }),
      endpoint: { ...failed, pausedUntil, pauseReason: text.slice(0, 200) },
    };
  }
  if (error instanceof AuthExpiredError) {
    const pausedUntil = now + REAUTH_MS;
    return {
      result: again(pausedUntil, { attempt: 'free', uncertain }),
      endpoint: { ...failed, pausedUntil, pauseReason: 'credentials refused', needsReauth: true },
    };
  }
  if (isGone(error, lease)) {
    return {
      result: again(now, { attempt: 'free', uncertain }),
      endpoint: { ...failed, disabledAt: now, pauseReason: 'gone (410)' },
    };
  }
  // The far side is there and says no: that is this task's matter, not the endpoint's.
  if (error instanceof UncertainError) return { result: { state: 'needs_check' }, endpoint: failed };
  if (error instanceof PermanentError || error instanceof BadPayloadError)
    return { result: { state: 'dead' }, endpoint: failed };
  return retry(error, lease, state, { ...clock, failed });
}

/** A file that is gone says nothing about the channel that named it, and strangers choose the place. */
function isGone(error: unknown, { task }: Lease): boolean {
  return error instanceof PermanentError && error.gone && task.kind !== 'download';
}

function retry(
  error: unknown,
  lease: Lease,
  state: EndpointState,
  { now, random, failed }: { now: number; random: () => number; failed: Partial<EndpointState> },
): Verdict {
  // What isn't one of ours may have been thrown at any moment, also after the far side had acted.
  const uncertain = error instanceof RetryableError ? error.outcomeUnknown || lease.task.uncertain : true;
  // Where files lie says nothing about the channel that named them, and strangers choose the place.
  const failures = state.failures + (lease.task.kind === 'download' ? 0 : 1);
  if (failures >= DOWN_AFTER) {
    const pausedUntil = now + restAfter(failures, random);
    const pauseReason = `${failures} failures in a row; asks again by itself`;
    return {
      result: again(pausedUntil, { attempt: 'free', uncertain }),
      endpoint: { ...failed, failures, pausedUntil, pauseReason },
    };
  }
  const wait = retryAfter(lease.task.attempts, random);
  const result: TaskResult =
    wait === undefined
      ? { state: uncertain ? 'needs_check' : 'dead' }
      : again(now + wait, { attempt: 'counts', uncertain });
  return { result, endpoint: { ...failed, failures } };
}

/**
 * A name is nice to have: for one that can't be had nothing is paused or set aside and nobody is alarmed, and one that
 * was found says nothing about the way out. The log of the tries tells.
 */
function profileResult(
  error: unknown,
  { task }: Lease,
  { now, random }: { readonly now: number; readonly random: () => number },
): TaskResult {
  if (error === undefined || now - task.createdAt >= PROFILE_GIVEN_UP_MS) return { state: 'delivered' };
  if (error instanceof RateLimitedError) {
    return again(now + clampRetryAfter(error.retryAfterMs), { attempt: 'free', uncertain: false });
  }
  const rest = retryAfter(task.attempts, random);
  const isFinal = error instanceof TributaryError && !(error instanceof RetryableError);
  if (isFinal || rest === undefined) return { state: 'delivered' };
  return again(now + rest, { attempt: 'counts', uncertain: false });
}

/** Each try costs money: there are few, also for who asks to be spared, and the last one is set aside for a person. */
function transcriptResult(
  error: unknown,
  { task }: Lease,
  { now, random }: { readonly now: number; readonly random: () => number },
): TaskResult {
  if (error === undefined) return { state: 'delivered' };
  const rest = task.attempts < TRANSCRIPT_TRIES ? retryAfter(task.attempts, random) : undefined;
  const asked = error instanceof RateLimitedError ? clampRetryAfter(error.retryAfterMs) : 0;
  const isFinal = error instanceof TributaryError && !(error instanceof RetryableError || asked > 0);
  if (isFinal || rest === undefined) return { state: 'dead' };
  return again(now + Math.max(rest, asked), { attempt: 'counts', uncertain: false });
}

function again(dueAt: number, how: { attempt: 'counts' | 'free'; uncertain: boolean }): TaskResult {
  return { state: 'waiting', dueAt, countsAttempt: how.attempt === 'counts', uncertain: how.uncertain };
}
