import type { Readable } from 'node:stream';
import type { Attachment } from '../../core/envelope.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import type { ZadarmaApi } from './api.ts';

/** How long after it was announced a recording may still be on its way into the vendor's store. */
const SPREADS_MS = 30 * 60_000;

/** A recording that was announced `ageMs` ago: its link is asked for, and followed at once. */
export async function download(api: ZadarmaApi, { id, name }: Attachment, ageMs: number): Promise<Readable> {
  try {
    return await api.recording(id.replace(/^recording:/, ''));
  } catch (error) {
    if (!(error instanceof PermanentError) || error.response === undefined) throw error;
    const { message, response } = error;
    if (ageMs < SPREADS_MS) {
      throw new RetryableError(`${name} is not to be had yet: ${message}`, { cause: error, response });
    }
    // Whoever says 410 speaks of this file, not of the account.
    throw new PermanentError(`${name} is not to be had: ${message}`, { cause: error, response });
  }
}
