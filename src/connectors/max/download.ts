import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http } from '../../core/connector.ts';
import type { Attachment } from '../../core/envelope.ts';
import { AuthExpiredError, PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import type { MaxApi } from './api.ts';
import { filesOf } from './content.ts';
import type { Told } from './content.ts';
import { isOfMax } from './hosts.ts';
import { Message } from './update.ts';

/** The most that is kept of a file: MAX's largest video and audio. */
const MAX_BYTES = 256 * 1024 * 1024;
/** A large file over a slow line. */
const FILE_MS = 10 * 60_000;

interface Deps {
  readonly api: MaxApi;
  readonly http: Http;
  readonly apiRoot: string;
}

const Holder = z.object({ message: Message });

/** The bytes of an attachment: by the address that came with it, else by the one that MAX gives the message now. */
export async function download(deps: Deps, { id, name }: Attachment, payload: Payload): Promise<Readable> {
  const { message } = Holder.parse(parseJson(payload.body));
  const told = filesOf(message).find(({ file }) => file.id === id);
  const url = told && (await addressOf(deps, told));
  try {
    return await fetchFile(deps, url, name);
  } catch (error) {
    // A store of files that says 401 or 403 speaks of this address, not of the bot: they are signed for a while only.
    const refused = error instanceof PermanentError || error instanceof AuthExpiredError;
    const fresh = refused && message.body ? await askAgain(deps, message.body.mid, id) : undefined;
    if (fresh !== undefined && fresh !== url) return fetchFile(deps, fresh, name);
    if (!(error instanceof AuthExpiredError)) throw error;
    throw new PermanentError(`${name} is no longer to be had: ${error.message}`, {
      cause: error,
      hint: 'Ask the customer to send it again.',
    });
  }
}

async function askAgain(deps: Deps, mid: string, id: string): Promise<string | undefined> {
  const message = await deps.api({ path: `/messages/${encodeURIComponent(mid)}`, maxBytes: 4 * 1024 * 1024 }, Message);
  const told = filesOf(message).find(({ file }) => file.id === id);
  return told && addressOf(deps, told);
}

const QUALITIES = ['mp4_1080', 'mp4_720', 'mp4_480', 'mp4_360', 'mp4_240', 'mp4_144'] as const;
const Video = z.object({ urls: z.record(z.string(), z.unknown()).nullish() });

/** Of a video, what is fetched is asked for by its token: https://dev.max.ru/docs-api/methods/GET/videos/-videoToken- */
async function addressOf({ api }: Deps, { kind, url, token }: Told): Promise<string | undefined> {
  if (kind !== 'video' || token === undefined) return url;
  try {
    const { urls } = await api({ path: `/videos/${encodeURIComponent(token)}` }, Video);
    const best = QUALITIES.map((quality) => urls?.[quality]).find((value) => typeof value === 'string');
    return best ?? url;
  } catch (error) {
    if (error instanceof PermanentError) return url;
    throw error;
  }
}

async function fetchFile({ http, apiRoot }: Deps, url: string | undefined, name: string): Promise<Readable> {
  if (url === undefined || !isOfMax(url, apiRoot)) {
    throw new PermanentError(`MAX gives no address of its own for ${name}, so it is not fetched`, {
      hint: 'Ask the customer to send the file itself.',
    });
  }
  const mayFollow = (to: URL) => isOfMax(to, apiRoot);
  const { body } = await http.stream({ url, maxBytes: MAX_BYTES, timeoutMs: FILE_MS, mayFollow });
  return body;
}
