import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Attachment } from '../../core/envelope.ts';
import { PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { contentOf, filesIn } from './content.ts';
import { Attached, Event, Message, NewMessage } from './event.ts';
import { isOfVk } from './hosts.ts';
import type { Uploading } from './upload.ts';

/** VK's largest document. */
const MAX_BYTES = 200 * 1024 * 1024;
/** A large file over a slow line. */
const FILE_MS = 10 * 60_000;

/** The bytes of an attachment: by the address that came with it, else by the one that VK gives the message now. */
export async function download(deps: Uploading, { id, name }: Attachment, payload: Payload): Promise<Readable> {
  const { object } = Event.parse(parseJson(payload.body));
  const message = messageIn(object);
  const told = message ? filesIn(message) : contentOf(Attached.parse(object)).files;
  const url = told.find((file) => file.id === id)?.url;
  try {
    return await fetchFile(deps, url, name);
  } catch (error) {
    // Addresses are valid for a while only.
    const fresh = error instanceof PermanentError && message ? await urlNow(deps, message, id) : undefined;
    if (fresh === undefined || fresh === url) throw error;
    return fetchFile(deps, fresh, name);
  }
}

async function fetchFile({ http, apiRoot }: Uploading, url: string | undefined, name: string): Promise<Readable> {
  if (url === undefined || !isOfVk(url, apiRoot)) {
    throw new PermanentError(`VK gives no address of its own for ${name}`, { hint: 'Ask the customer for it again.' });
  }
  // Documents are handed out by another server than the one that their address names.
  const mayFollow = (to: URL) => isOfVk(to, apiRoot);
  const { body } = await http.stream({ url, maxBytes: MAX_BYTES, timeoutMs: FILE_MS, mayFollow });
  return body;
}

type Told = z.output<typeof Message>;

function messageIn(object: unknown): Told | undefined {
  const inner = NewMessage.safeParse(object).data?.message;
  return Message.safeParse(inner ?? object).data;
}

const Found = z.object({ items: z.array(z.unknown()) });

async function urlNow({ call }: Uploading, message: Told, id: string): Promise<string | undefined> {
  const { peer_id, conversation_message_id } = message;
  const asked = { peer_id, conversation_message_ids: conversation_message_id };
  const { items } = await call('messages.getByConversationMessageId', asked, Found);
  const now = Message.safeParse(items[0]).data;
  return now && filesIn(now).find((file) => file.id === id)?.url;
}
