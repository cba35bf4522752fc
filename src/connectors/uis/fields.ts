import { z } from 'zod';

/** Values as both the notifications and the report have them: numbers come as texts, too, and null is nothing. */

export const Text = z
  .union([z.string(), z.number(), z.boolean(), z.null()])
  .optional()
  .catch(undefined)
  .transform(
    (value) =>
      String(value ?? '')
        .trim()
        .slice(0, 1000) || undefined,
  );

export const Seconds = Text.transform((text) => (/^\d{1,6}(\.\d+)?$/.test(text ?? '') ? Number(text) : undefined));

export const Flag = Text.transform((text) => (text === undefined ? undefined : text === 'true' || text === '1'));

/** One, or a list of them. */
export const Texts = z
  .unknown()
  .optional()
  .transform((value) => [value].flat().flatMap((each) => Text.parse(each) ?? []));

export type Direction = 'inbound' | 'outbound';

export const Way = Text.transform((text): Direction | undefined => {
  if (text === 'in') return 'inbound';
  return text === 'out' ? 'outbound' : undefined;
});

/** The call, as both APIs and every event name it. */
export function sessionId(name: string) {
  return Text.pipe(z.string({ error: `${name} is missing` }).max(200, `${name} is too long`));
}

/** Numbers come in international form without a plus. Undefined for what is none: an extension, a SIP line, a hidden number. */
export function phoneOf(text: string | undefined): string | undefined {
  if (/^[1-9]\d{9,14}$/.test(text ?? '')) return `+${text}`;
  return /^\+\d{7,15}$/.test(text ?? '') ? text : undefined;
}
