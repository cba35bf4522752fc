import { z } from 'zod';

/** What a text may say besides words. */
const PLACEHOLDERS = ['number', 'name', 'statusUrl'] as const;

const Text = z
  .string()
  .trim()
  .min(1)
  .max(4000)
  .refine((text) => [...text.matchAll(/\{\{([^{}]*)\}\}/g)].every(([, name]) => isPlaceholder(name)), {
    error: 'has a placeholder that is none: {{number}}, {{name}} and {{statusUrl}} are known',
  });

/**
 * The automatic answer of a channel: one text, or one per language (ISO 639, two letters). `{{number}}` is the number
 * of the ticket, `{{name}}` the customer's name where the platform vouches for him, else nothing, `{{statusUrl}}` the
 * address where he sees how his request is doing.
 */
export const AutoReply = z.union([
  Text,
  z
    .record(z.string().regex(/^[a-z]{2}$/, 'is a language of two small letters, such as uk'), Text)
    .refine((texts) => Object.keys(texts).length > 0, { error: 'has a text in no language' }),
]);
export type AutoReply = z.output<typeof AutoReply>;

/** The text for a customer: in his language, else English, else the first one. */
export function autoReplyText(
  autoReply: AutoReply,
  to: {
    readonly language: string | null;
    readonly number: number;
    readonly name: string | undefined;
    readonly statusUrl: string;
  },
): string {
  const texts: Readonly<Record<string, string>> = typeof autoReply === 'string' ? { en: autoReply } : autoReply;
  const language = [to.language, 'en'].find((each) => each !== null && Object.hasOwn(texts, each));
  const text = texts[language ?? ''] ?? Object.values(texts)[0] ?? '';
  // In one go: what a name says is never read again. "Hello {{name}}," becomes "Hello," where nobody knows it.
  return text.replaceAll(/( ?)\{\{(number|name|statusUrl)\}\}/g, (_, space: string, name: string) => {
    if (name === 'number') return `${space}${to.number}`;
    if (name === 'statusUrl') return `${space}${to.statusUrl}`;
    return to.name === undefined ? '' : `${space}${to.name}`;
  });
}

function isPlaceholder(name: string | undefined): boolean {
  return PLACEHOLDERS.some((each) => each === name);
}
