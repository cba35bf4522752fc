/** What payloads are, in a header of their own: Avito's lists don't say it. */
export const PART = 'avito-part';
export type PayloadPart = 'message' | 'review' | 'gone';

/** Outward names: Avito's numbers of reviews, answers and chats are counted apart. */
export const reviewName = (id: string): string => `review:${id}`;
export const answerName = (id: string): string => `answer:${id}`;
export const chatThread = (id: string): string => `chat:${id}`;

/** What an outward name says; undefined for none of ours. */
export function readName(
  name: string | undefined,
): { readonly kind: 'review' | 'chat'; readonly id: string } | undefined {
  const [, kind, id] = /^(review|chat):(.+)$/s.exec(name ?? '') ?? [];
  return kind && id ? { kind: kind as 'review' | 'chat', id } : undefined;
}
