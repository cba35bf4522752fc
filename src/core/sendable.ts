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
