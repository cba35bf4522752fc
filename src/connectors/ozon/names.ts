import { createHash } from 'node:crypto';

/** What payloads are, in a header of their own: Ozon's lists don't say it. */
export const PART = 'ozon-part';
export type PayloadPart = 'review' | 'comment' | 'question' | 'answer' | 'message' | 'gone';

export const surfaces = ['review', 'question'] as const;
export type Surface = (typeof surfaces)[number];
export type Kind = Surface | 'comment' | 'answer' | 'chat' | 'message';

/** Outward names: `review:<id>`. */
export const nameOf = (kind: Kind, id: string): string => `${kind}:${id}`;

/** What an outward name says; undefined for none of ours. */
export function readName(name: string | undefined): { readonly kind: Kind; readonly id: string } | undefined {
  const [, kind, id] = /^(review|question|comment|answer|chat|message):(.+)$/s.exec(name ?? '') ?? [];
  return kind && id ? { kind: kind as Kind, id } : undefined;
}

const hashOf = (text: string) =>
  createHash('sha256').update(text.replace(/\s+/g, ' ').trim()).digest('base64url').slice(0, 16);

/** What is sent into a chat gets a number that the answer to the call doesn't tell. */
export const sentName = (chat: string, text: string): string => `sent:${chat}:${hashOf(text)}`;

export const fileName = (url: string): string => `file:${hashOf(url)}`;
