import type { Readable } from 'node:stream';
import type { Attachment } from '../../core/envelope.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../../core/errors.ts';
import type { Payload } from '../../core/payload.ts';
import type { RingostatApi } from './api.ts';
import { readCall } from './items.ts';

/** How long after its call a recording may still be on its way into Ringostat's store. */
const SPREADS_MS = 30 * 60_000;

/** The recording of a call, by the address in the payload that announced it, where that is Ringostat's. */
export async function download(
  deps: { readonly api: RingostatApi; readonly apiRoot: string; readonly now: number },
  { name }: Attachment,
  payload: Payload,
): Promise<Readable> {
  const url = addressOf(readCall(payload.body).recording, deps.apiRoot);
  if (url === undefined) {
    throw new PermanentError(`${name} lies at none of Ringostat's addresses, so it is not fetched`, {
      hint: 'The field recording of the webhook must hold the link to the recording: compare it with the template.',
    });
  }
  try {
    return await deps.api.recording(url);
  } catch (error) {
    const refused = error instanceof PermanentError || error instanceof AuthExpiredError;
    if (!refused || error.response === undefined) throw error;
    const { message, response } = error;
    if (deps.now - payload.receivedAt < SPREADS_MS) {
      throw new RetryableError(`${name} is not to be had yet: ${message}`, { cause: error, response });
    }
    // Whoever says 401 or 410 speaks of this file, not of the project.
    throw new PermanentError(`${name} is not to be had: ${message}`, { cause: error, response });
  }
}

function addressOf(text: string | undefined, apiRoot: string): string | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const { protocol, host, origin, href } = new URL(text);
  if (origin === new URL(apiRoot).origin) return href;
  return protocol === 'https:' && /(^|\.)ringostat\.(com|net)$/.test(host) ? href : undefined;
}
