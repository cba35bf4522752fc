import { buffer } from 'node:stream/consumers';
import type { Delivery } from './destination.ts';
import { PermanentError } from './errors.ts';
import type { Message } from './ticket.ts';

/** Which files of a message go along to a help desk that takes so many bytes together, and why the others don't. */
export function sendable(
  { attachments }: Pick<Message, 'attachments'>,
  { max, taker }: { readonly max: number; readonly taker: string },
) {
  const unsent = new Map<string, string>();
  let left = max;
  const sending = attachments.filter(({ id, state, size }) => {
    if (state !== 'stored') return false;
    if (size === 0) unsent.set(id, `${taker} takes no empty files`);
    else if ((size ?? 0) > left) unsent.set(id, `more than ${max} bytes together`);
    else left -= size ?? 0;
    return !unsent.has(id);
  });
  return { sending, unsent };
}

/** Files of a message on their way to a help desk. */
export interface Files {
  readonly sent: readonly { readonly name: string; readonly mediaType: string; readonly bytes: Buffer }[];
  /** Those that don't go along: id of the attachment → why. */
  readonly unsent: ReadonlyMap<string, string>;
}

/** Sends with the files; without them where they are what isn't taken (400, 413, 422), each then named with its link. */
export async function sendWithFiles<T>(
  delivery: Delivery,
  limit: { readonly max: number; readonly taker: string },
  send: (files: Files) => Promise<T>,
): Promise<T> {
  const { sending, unsent } = sendable(delivery.message, limit);
  const sent: Files['sent'][number][] = [];
  for (const { id, name, mediaType } of sending) {
    sent.push({ name, mediaType, bytes: await buffer(await delivery.open(id)) });
  }
  try {
    return await send({ sent, unsent });
  } catch (error) {
    const isRefused = error instanceof PermanentError && [400, 413, 422].includes(error.response?.status ?? 0);
    if (sent.length === 0 || !isRefused) throw error;
    const refused = sending.map(({ id }) => [id, `${limit.taker} did not take it`] as const);
    return send({ sent: [], unsent: new Map([...unsent, ...refused]) });
  }
}

/** The same for a preview: names without bytes. */
export function namedFiles({ attachments }: Pick<Message, 'attachments'>): Files {
  const stored = attachments.filter(({ state }) => state === 'stored');
  return {
    sent: stored.map(({ name, mediaType }) => ({ name, mediaType, bytes: Buffer.alloc(0) })),
    unsent: new Map(),
  };
}
