import type { Readable } from 'node:stream';
import type { Attachment } from '../../core/envelope.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../../core/errors.ts';
import type { MangoApi } from './api.ts';

/** How long after it was announced a recording may still be on its way into Mango's store. */
const SPREADS_MS = 30 * 60_000;

/** A recording that was announced `ageMs` ago: its link is asked for, and followed at once. */
export async function download(api: MangoApi, { id, name }: Attachment, ageMs: number): Promise<Readable> {
  try {
    return await api.recording(id.replace(/^recording:/, ''));
  } catch (error) {
    // 401 is what Mango answers to whoever asked for too much that isn't there.
    const isBlocked = error instanceof AuthExpiredError && error.response?.status === 401;
    if (!isBlocked && !(error instanceof PermanentError)) throw error;
    const { message, response } = error;
    if (response === undefined) throw error;
    if (ageMs < SPREADS_MS) {
      throw new RetryableError(`${name} is not to be had yet: ${message}`, { cause: error, response });
    }
    // Whoever says 401 or 410 speaks of this file, not of the account.
    throw new PermanentError(`${name} is not to be had: ${message}`, { cause: error, response });
  }
}
