import { z } from 'zod';
import type { Raw } from '../../core/connector.ts';
import { VERSION } from './api.ts';
import type { Call } from './api.ts';

/** Most that VK gives at once. */
const PAGE = 200;

const number = z.union([z.number(), z.string()]).transform(Number);
const Told = z.looseObject({ date: number, out: z.unknown().optional(), from_id: number.optional() });
const Conversations = z.object({
  items: z.array(
    z.object({ conversation: z.object({ peer: z.object({ id: number }) }), last_message: Told.optional() }),
  ),
});
const History = z.object({ items: z.array(Told) });

/**
 * What was said in the community's chats since a time (milliseconds), as the events that would have told it; the
 * oldest first in each chat. Comments can't be asked for.
 */
export async function* messagesSince(
  { call, group }: { readonly call: Call; readonly group: string },
  since: number,
  signal: AbortSignal,
): AsyncGenerator<Raw> {
  for (let offset = 0; ; offset += PAGE) {
    const asked = { group_id: group, count: PAGE, offset };
    const { items } = await call('messages.getConversations', asked, Conversations, signal);
    const moved = items.filter(({ last_message }) => isSince(last_message, since));
    for (const { conversation } of moved) {
      const told = await historyOf({ call, group, peer: conversation.peer.id }, since, signal);
      for (const message of told) yield rawOf(message, group);
    }
    // The conversations that moved last come first.
    if (items.length < PAGE || moved.length === 0) return;
  }
}

async function historyOf(
  { call, group, peer }: { readonly call: Call; readonly group: string; readonly peer: number },
  since: number,
  signal: AbortSignal,
): Promise<z.output<typeof Told>[]> {
  const told: z.output<typeof Told>[] = [];
  for (let offset = 0; ; offset += PAGE) {
    const asked = { group_id: group, peer_id: peer, count: PAGE, offset, rev: 0 };
    const { items } = await call('messages.getHistory', asked, History, signal);
    const recent = items.filter((message) => isSince(message, since));
    told.push(...recent);
    if (recent.length < PAGE) return told.toReversed();
  }
}

function isSince(message: { readonly date: number } | undefined, since: number): boolean {
  // VK counts whole seconds.
  return message !== undefined && (message.date + 1) * 1000 > since;
}

function rawOf(message: z.output<typeof Told>, group: string): Raw {
  const type = message.out === 1 || message.out === true ? 'message_reply' : 'message_new';
  return { body: Buffer.from(JSON.stringify({ type, object: { message }, group_id: Number(group), v: VERSION })) };
}
