import type { Clock } from '../../core/clock.ts';
import { RetryableError } from '../../core/errors.ts';

/** A page of mails or a large one, over a slow line. */
const ANSWER_MS = 15 * 60_000;

/** What a server answers, if it does in time: it may also talk for ever, or byte by byte, and never answer. */
export async function answered<T>(clock: Clock, answer: Promise<T>, ms = ANSWER_MS): Promise<T> {
  const over = new AbortController();
  const late = clock.sleep(ms, over.signal).then(() => {
    throw new RetryableError(`the mail server has not answered for ${ms / 1000} s`, {
      hint: 'Check host and port, that a firewall lets this machine out, and whether the server is well.',
    });
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([answer, late]);
  } finally {
    over.abort();
  }
}
