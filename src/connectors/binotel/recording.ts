import type { Readable } from 'node:stream';
import type { Attachment } from '../../core/envelope.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../../core/errors.ts';
import { WRONG_DATA } from './api.ts';
import type { BinotelApi } from './api.ts';

/** How long after its call a recording may still be on its way into Binotel's store. */
const SPREADS_MS = 30 * 60_000;

/** The recording of a call that was announced `ageMs` ago: its link is asked for, and followed at once. */
export async function download(api: BinotelApi, { id, name }: Attachment, ageMs: number): Promise<Readable> {
  try {
    return await api.recording(id.replace(/^recording:/, ''));
  } catch (error) {
    const isAboutIt = error instanceof PermanentError || (error instanceof AuthExpiredError && !isRefusal(error));
    if (!isAboutIt || error.response === undefined) throw error;
    const { message, response } = error;
    const isSoon = response.status === 200 ? response.text.startsWith(`${WRONG_DATA} `) : true;
    if (isSoon && ageMs < SPREADS_MS) {
      throw new RetryableError(`${name} is not to be had yet: ${message}`, { cause: error, response });
    }
    // Whoever says 401 or 410 speaks of this file, not of the company.
    throw new PermanentError(`${name} is not to be had: ${message}`, { cause: error, response });
  }
}

/** Said by Binotel itself, not by its store of files. */
function isRefusal({ response }: AuthExpiredError): boolean {
  return response?.status === 200;
}
