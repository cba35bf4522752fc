import type { Readable } from 'node:stream';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import type { Account } from './account.ts';

/** How long after it was announced a file may still be on its way into Twilio's store. */
const SPREADS_MS = 15 * 60_000;

/** The bytes of a file at Twilio, which was announced `ageMs` ago. */
export async function fileOf(account: Account, path: string, name: string, ageMs: number): Promise<Readable> {
  try {
    return await account.file(path);
  } catch (error) {
    if (!(error instanceof PermanentError) || error.response === undefined) throw error;
    const { message, response } = error;
    if (response.status === 404 && ageMs < SPREADS_MS) {
      throw new RetryableError(`${name} is not to be had yet: ${message}`, { cause: error, response });
    }
    // 410 speaks of this file, not of the channel.
    throw new PermanentError(message, { cause: error, response });
  }
}
