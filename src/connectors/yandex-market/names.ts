import { createHash } from 'node:crypto';

/** What payloads are, in a header of their own: Yandex Market's lists don't say it. */
export const PART = 'yandex-market-part';

export const surfaces = ['feedback', 'question', 'chat'] as const;
export type Surface = (typeof surfaces)[number];

/** Outward names: Yandex Market's numbers of reviews, questions, answers and chats are counted apart. */
export const nameOf = (surface: Surface | 'comment' | 'answer', id: string): string => `${surface}:${id}`;
export const messageName = (chat: string, id: string): string => `message:${chat}:${id}`;

/** What an outward name says; undefined for none of ours. */
export function readName(name: string | undefined): { readonly kind: Surface; readonly id: string } | undefined {
  const [, kind, id] = /^(feedback|question|chat):(.+)$/s.exec(name ?? '') ?? [];
  return kind && id ? { kind: kind as Surface, id } : undefined;
}

const hashOf = (text: string) => createHash('sha256').update(wordsOf(text)).digest('base64url').slice(0, 16);

export const wordsOf = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** What is sent into a chat gets a number that the answer to the call doesn't tell. */
export const sentName = (chat: string, text: string): string => `sent:${chat}:${hashOf(text)}`;
export const sentFileName = (chat: string, { name, size }: { readonly name: string; readonly size: number }): string =>
  `sent-file:${chat}:${hashOf(`${name} ${size}`)}`;

/** A photo keeps its name when others before it are taken away. */
export const photoName = (url: string): string => `photo:${hashOf(url)}`;
