import type { Readable } from 'node:stream';
import type { Attachment } from '../../core/envelope.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../../core/errors.ts';
import type { TributaryError } from '../../core/errors.ts';
import type { Payload } from '../../core/payload.ts';
import type { UisApi } from './api.ts';
import type { File } from './call.ts';
import { addressOf } from './listed.ts';
import { linkIn } from './notification.ts';
import type { Places } from './platform.ts';

/** How long after it was announced a recording may still be on its way into the vendor's store. */
const SPREADS_MS = 30 * 60_000;

/** A recording, by the address in the payload that announced it, where that is the vendor's. */
export async function download(
  deps: { readonly api: UisApi; readonly places: Places; readonly now: number },
  attachment: Attachment,
  payload: Payload,
): Promise<Readable> {
  const ageMs = deps.now - payload.receivedAt;
  const { mediaType, body } = await fetched(deps.api, urlOf(attachment, payload, deps.places), ageMs);
  if (!/^(text|application\/json)\b/.test(mediaType)) return body;
  body.destroy();
  throw notThere(`an answer of the type ${mediaType.slice(0, 100)} in its place`, ageMs);
}

async function fetched(api: UisApi, url: string, ageMs: number) {
  try {
    return await api.recording(url);
  } catch (error) {
    // Whoever says 401 or 410 speaks of this file, not of the account.
    const isRefused = error instanceof PermanentError || error instanceof AuthExpiredError;
    if (!isRefused || error.response === undefined) throw error;
    throw notThere(error.message, ageMs, error);
  }
}

function notThere(why: string, ageMs: number, cause?: TributaryError): TributaryError {
  const details = { ...(cause && { cause }), ...(cause?.response && { response: cause.response }) };
  if (ageMs < SPREADS_MS) return new RetryableError(`the recording is not to be had yet: ${why}`, details);
  return new PermanentError(`the recording is not to be had: ${why}`, details);
}

function urlOf({ id }: Attachment, { method, body }: Payload, places: Places): string {
  const [kind = '', name = ''] = id.split(':', 2);
  const file = { kind: kind === 'voicemail' ? kind : 'recording', name } satisfies File;
  const address = method === 'RECONCILE' ? addressOf(file, body, places) : linkIn(body, name);
  const url = address !== undefined && URL.canParse(address) ? new URL(address) : undefined;
  // Older links begin with http: and lead to the same place.
  const safe = url?.protocol === 'http:' && !places.isOurs(url) ? new URL(`https:${url.href.slice(5)}`) : url;
  if (safe && places.isOurs(safe)) return safe.href;
  throw new PermanentError("the recording lies at none of the vendor's addresses, so it is not fetched", {
    hint: 'file_link of the notification must hold the link to the recording, and platform must be yours.',
  });
}
