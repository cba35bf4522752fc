import { createHash } from 'node:crypto';

/** What payloads are, in a header of their own: Wildberries' lists don't say it. */
export const PART = 'wildberries-part';
export type PayloadPart = 'feedback' | 'question' | 'event' | 'gone';

export const surfaces = ['feedback', 'question'] as const;
export type Surface = (typeof surfaces)[number];

/** Outward names of what stands below a product: `feedback:<id>`. */
export const nameOf = (surface: Surface, id: string): string => `${surface}:${id}`;
export const chatThread = (chat: string): string => `chat:${chat}`;

/** What an outward name says; undefined for none of ours. */
export function readName(
  name: string | undefined,
): { readonly kind: Surface | 'chat'; readonly id: string } | undefined {
  const [, kind, id] = /^(feedback|question|chat):(.+)$/s.exec(name ?? '') ?? [];
  return kind && id ? { kind: kind as Surface | 'chat', id } : undefined;
}

const hashOf = (text: string) =>
  createHash('sha256').update(text.replace(/\s+/g, ' ').trim()).digest('base64url').slice(0, 16);

/** Wildberries numbers no answers: the same words are the same answer. */
export const answerName = (surface: Surface, id: string, text: string): string =>
  `answer:${nameOf(surface, id)}:${hashOf(text)}`;

/** What is sent into a chat by its API gets a number that the answer to the call doesn't tell. */
export const sentName = (chat: string, text: string): string => `sent:${chat}:${hashOf(text)}`;

/** A photo keeps its name when others before it are taken away. */
export const photoName = (url: string): string => `photo:${hashOf(url)}`;
