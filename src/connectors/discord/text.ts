import type { Content } from './event.ts';

/** Discord's markup (https://discord.com/developers/docs/reference#message-formatting) as plain text. */

const MARK =
  /<(@[!&]?|#)(\d{1,20})>|<a?(:\w{1,40}:)\d{1,20}>|<t:(-?\d{1,11})(?::[A-Za-z])?>|<(\/[^<>:]{1,100}):\d{1,20}>/g;

/** The text as people read it: names instead of numbers. How it is set (`**`, `||`) stays. */
export function toPlain(text: string, { mentions, mention_channels }: Content): string {
  const people = new Map(mentions.map(({ id, global_name, username }) => [id, global_name ?? username]));
  const places = new Map(mention_channels.map(({ id, name }) => [id, name]));
  return text.replace(MARK, (_whole, ...found: (string | undefined)[]) => {
    const [kind, id = '', emoji, time, command] = found;
    if (kind === '#') return `#${places.get(id) || id}`;
    if (kind !== undefined) return `@${people.get(id) ?? id}`;
    return emoji ?? command ?? new Date(Number(time) * 1000).toISOString();
  });
}

/** `@us my printer is broken`: that it was said to us is no part of what was said. */
export function withoutMention(text: string, self: string | undefined): string {
  const [mention, user] = /^<@!?(\d{1,20})>[\s,:]*/.exec(text) ?? [];
  const isOurs = mention !== undefined && user === self && mention.length < text.length;
  return isOurs ? text.slice(mention.length) : text;
}

/** The words of components, which stand for a text where it is empty, a line for each. */
export function wordsIn(components: unknown): string[] {
  if (!Array.isArray(components)) return [];
  return components.flatMap((component: unknown) => {
    if (typeof component !== 'object' || component === null) return [];
    const { content, components: inner } = component as Readonly<Record<string, unknown>>;
    return [...(typeof content === 'string' ? [content] : []), ...wordsIn(inner)];
  });
}
