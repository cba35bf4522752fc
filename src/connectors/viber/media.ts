import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http } from '../../core/connector.ts';
import type { Attachment } from '../../core/envelope.ts';
import { AuthExpiredError, PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';

/** The most that is kept of a file. */
const MAX_BYTES = 100 * 1024 * 1024;
/** A large file over a slow line. */
const FILE_MS = 10 * 60_000;

const WithMedia = z.object({ message: z.object({ media: z.string() }) });

/** Fetches the file of a message. Its address was signed by Viber for an hour, and counts only at Viber's hosts. */
export async function download(
  deps: { readonly http: Http; readonly apiRoot: string | undefined },
  { name }: Attachment,
  payload: Payload,
): Promise<Readable> {
  const { message } = WithMedia.parse(parseJson(payload.body));
  const url = addressOf(message.media, deps.apiRoot);
  if (url === undefined) {
    throw new PermanentError(`${name} lies at none of Viber's addresses, so it is not fetched`, {
      hint: 'Ask the customer to send the file itself.',
    });
  }
  try {
    const { body } = await deps.http.stream({ url, maxBytes: MAX_BYTES, timeoutMs: FILE_MS });
    return body;
  } catch (error) {
    const refused = error instanceof PermanentError || error instanceof AuthExpiredError;
    if (!refused || error.response === undefined) throw error;
    // A store of files that says 401 or 410 speaks of this file, not of the bot.
    throw new PermanentError(`${name} is no longer to be had: ${error.message}`, {
      cause: error,
      response: error.response,
      hint: 'Viber hands out files for an hour: ask the customer to send it again.',
    });
  }
}

/** The address to fetch, if it is one of Viber's, or of what stands in for Viber. Stickers come as http. */
function addressOf(media: string, apiRoot: string | undefined): string | undefined {
  if (!URL.canParse(media)) return undefined;
  const url = new URL(media);
  if (apiRoot !== undefined && url.origin === new URL(apiRoot).origin) return url.href;
  if (!/^https?:$/.test(url.protocol) || url.port !== '') return undefined;
  if (url.hostname !== 'viber.com' && !url.hostname.endsWith('.viber.com')) return undefined;
  url.protocol = 'https:';
  return url.href;
}
