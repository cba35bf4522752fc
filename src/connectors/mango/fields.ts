import { z } from 'zod';

/** Fields as Mango writes them: ids and times come as texts in one event and as numbers in another. */

export const Text = z
  .union([z.string(), z.number(), z.null()])
  .optional()
  .catch(undefined)
  .transform(
    (value) =>
      String(value ?? '')
        .trim()
        .slice(0, 1000) || undefined,
  );

/** Of all legs of a call, its transfers included: what an event without it is about, nobody knows. */
export const EntryId = Text.pipe(z.string({ error: 'entry_id is missing' }).max(200, 'entry_id is too long'));

/** At most 128 bytes, says Mango. */
export const RecordingId = Text.pipe(z.string().max(200));

/** Seconds since 1970, and so in every time zone; 0 and nothing: it did not happen. */
export const Seconds = Text.transform((text) => (/^\d{10}$/.test(text ?? '') ? Number(text) : undefined));

export const Count = Text.transform((text) => (/^\d{1,6}(\.\d+)?$/.test(text ?? '') ? Number(text) : undefined));

export const Code = Text.transform((text) => (/^-?\d{1,6}$/.test(text ?? '') ? Number(text) : undefined));

/** Who is at an end of a call: employees have extensions. */
export const End = z.object({ extension: Text, number: Text, line_number: Text, taken_from_call_id: Text });
export const NOBODY = {
  extension: undefined,
  number: undefined,
  line_number: undefined,
  taken_from_call_id: undefined,
};

/**
 * Numbers come in international form without a plus, Russian ones sometimes as they are dialled (8…). Undefined for what is
 * none: an extension, a SIP account, a withheld number.
 */
export function numberOf(text: string | undefined): string | undefined {
  if (/^[1-79]\d{10,14}$/.test(text ?? '')) return `+${text}`;
  return /^\+?\d{7,15}$/.test(text ?? '') ? text : undefined;
}
