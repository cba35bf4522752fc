/** How conversations and messages are named outward. */

/** What people comment on, as VK's own addresses call it: vk.com/wall-1_45 */
export type Surface = 'wall' | 'photo' | 'video' | 'market' | 'topic';

/** One post, photo, video, product or topic. */
export interface Spot {
  readonly on: Surface;
  readonly owner: string;
  readonly item: string;
}

/** A chat, or what one person writes below one post: public, so it is kept apart from his chat. */
export type Conversation = { readonly peer: string } | { readonly spot: Spot; readonly author: string };

/** Chats of several people are numbered from here, other peers are persons, or communities below zero. */
const FIRST_CHAT = 2_000_000_000;

export function isGroupChat(peer: string): boolean {
  return Number(peer) >= FIRST_CHAT;
}

/** The name of a spot, which is also its address below vk.com. */
export function nameOf({ on, owner, item }: Spot): string {
  return `${on}${owner}_${item}`;
}

/** The thread's external id: `peer`, or `<spot>/<author>`. */
export function threadOf(conversation: Conversation): string {
  if ('peer' in conversation) return conversation.peer;
  return `${nameOf(conversation.spot)}/${conversation.author}`;
}

/** What a thread's external id names, or undefined when it is none of ours. */
export function readThread(thread: string): Conversation | undefined {
  if (/^-?\d{1,20}$/.test(thread)) return { peer: thread };
  const found = /^(wall|photo|video|market|topic)(-?\d{1,20})_(\d{1,20})\/(-?\d{1,20})$/.exec(thread);
  if (!found) return undefined;
  const [, on, owner = '', item = '', author = ''] = found;
  return { spot: { on: on as Surface, owner, item }, author };
}

/** `peer:number`: messages are counted anew in each conversation. */
export function messageOf(peer: string, number: string): string {
  return `${peer}:${number}`;
}

/** `<spot>:number` for a comment. */
export function commentOf(spot: Spot, number: string): string {
  return `${nameOf(spot)}:${number}`;
}

/** The number behind `<place>:` of an external id, if it is of that place. */
export function numberIn(place: string, externalId: string | null | undefined): string | undefined {
  const rest = externalId?.startsWith(`${place}:`) ? externalId.slice(place.length + 1) : '';
  return /^\d{1,15}$/.test(rest) ? rest : undefined;
}
