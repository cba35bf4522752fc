import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Attachment } from '../../core/envelope.ts';
import { AuthExpiredError, PermanentError } from '../../core/errors.ts';
import { contentOf } from './content.ts';
import type { MetaFile } from './content.ts';
import type { Graph } from './graph.ts';
import { Change, Entry, Event, Message, Payload } from './payload.ts';

/** The bytes of a file: by the address that came with it, else by the one that Meta gives the message now. */
export async function download(
  graph: Graph,
  { id, name }: Attachment,
  /** The notification that announced it, and what its changes hold. */
  { payload, filesOf }: { readonly payload: unknown; readonly filesOf: (change: unknown) => readonly MetaFile[] },
): Promise<Readable> {
  const { messages, changes } = filesIn(payload, filesOf);
  const isIt = (file: MetaFile) => file.id === id;
  const message = messages.find(isIt);
  const told = message ?? changes.find(isIt);
  if (!told) throw new PermanentError(`${name} is in none of the messages that announced it`);
  try {
    return await graph.fetch(told.url);
  } catch (error) {
    // A store of files that says 401 or 403 speaks of this address, not of the account.
    const isRefused = error instanceof PermanentError || error instanceof AuthExpiredError;
    if (!isRefused || error.response === undefined) throw error;
    const fresh = message && (await addressNow(graph, id));
    if (fresh !== undefined && fresh !== told.url) return graph.fetch(fresh);
    throw new PermanentError(`${name} is no longer to be had: ${error.message}`, {
      cause: error,
      response: error.response,
      hint: 'Meta’s addresses end after a while: ask the customer to send it again.',
    });
  }
}

/** Files of messages, and those that other changes hold. */
function filesIn(payload: unknown, filesOf: (change: unknown) => readonly MetaFile[]) {
  const entries = Payload.parse(payload).entry.flatMap((one) => Entry.safeParse(one).data ?? []);
  const values = entries.flatMap(({ changes }) => changes.map((change) => Change.safeParse(change).data?.value));
  const events = [...entries.flatMap(({ messaging, standby }) => [...messaging, ...standby]), ...values];
  const messages = events.flatMap((event) => {
    const { data } = Message.safeParse(Event.safeParse(event).data?.message);
    return data ? contentOf(data).files : [];
  });
  return { messages, changes: values.flatMap(filesOf) };
}

const address = z.object({ url: z.string() }).optional();
const Now = z.object({
  attachments: z.object({
    data: z.array(z.object({ file_url: z.string().optional(), image_data: address, video_data: address })),
  }),
});

/** https://developers.facebook.com/docs/graph-api/reference/message */
async function addressNow(graph: Graph, id: string): Promise<string | undefined> {
  const cut = id.lastIndexOf('/');
  const [mid, index] = [id.slice(0, cut), Number(id.slice(cut + 1))];
  const now = Now.safeParse(await ifAny(graph.get(`${encodeURIComponent(mid)}?fields=attachments`)));
  const found = now.data?.attachments.data[index];
  return found?.file_url ?? found?.image_data?.url ?? found?.video_data?.url;
}

/** What Meta refuses to tell of this message is not to be had: the token may be good all the same. */
async function ifAny(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof PermanentError) return undefined;
    throw error;
  }
}
