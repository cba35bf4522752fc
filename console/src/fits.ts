import { statusesOf } from './place.ts';
import type { Narrowing, StatusChoice } from './place.ts';
import type { Message, Ticket, TicketPatch } from './views.ts';

export type Filter = Narrowing & { readonly q: string; readonly status: StatusChoice };

/** Whether a ticket stands in a list, as far as that can be told without the gateway: words it alone can look for. */
export function fitsIn(ticket: Ticket, filter: Filter, ownId: string): boolean {
  const { assignee, channel, team, tag, priority } = filter;
  const statuses = statusesOf(filter.status);
  const whose = assignee === 'me' ? ownId : assignee === 'none' ? null : assignee;
  return [
    ticket.mergedInto === null,
    statuses.length === 0 || statuses.includes(ticket.status),
    whose === undefined || ticket.assignee === whose,
    channel === undefined || ticket.channel.id === channel,
    team === undefined || ticket.team === team,
    priority === undefined || ticket.priority === priority,
    tag === undefined || hasTag(ticket, tag),
  ].every(Boolean);
}

/** In small or capital letters, as the gateway looks for it. */
export function hasTag({ tags }: Pick<Ticket, 'tags'>, tag: string): boolean {
  return tags.some((name) => name.toLowerCase() === tag.toLowerCase());
}

/**
 * Whether a change of the ticket may be made although it is another version by now: what is to be changed is as it was
 * shown, and there is no message that wasn't, in case it is the status.
 */
export function isAsSeen(
  fresh: Ticket,
  shown: { readonly ticket: Ticket; readonly messages: readonly Pick<Message, 'kind'>[] },
  patch: TicketPatch,
): boolean {
  const names = Object.keys(patch) as (keyof TicketPatch)[];
  const isSame = names.every((name) => JSON.stringify(fresh[name]) === JSON.stringify(shown.ticket[name]));
  const spoken = shown.messages.filter(({ kind }) => kind !== 'note').length;
  return isSame && (patch.status === undefined || fresh.messageCount <= spoken);
}
