import { z } from 'zod';

/** What is known of a call: facts as Asterisk told them. What they mean is said in `items.ts`. */

const word = z.string().max(1000);
const time = z.number();

/** One channel of a call: a phone, a line to the outside, or one of Asterisk's own. Times by our clock. */
export const Leg = z.object({
  uniqueid: word,
  /** PJSIP/101-0000001f; the last name it had. */
  channel: word,
  number: word.optional(),
  name: word.optional(),
  /** The caller asks for his number not to be shown. */
  isHidden: z.boolean().optional(),
  /** What it dialled, or was called at. */
  exten: word.optional(),
  /** Set where Asterisk rang it: with what, as far as that is known. */
  dialed: word.optional(),
  /** DialStatus: BUSY, NOANSWER, CANCEL, CHANUNAVAIL … */
  outcome: word.optional(),
  createdAt: time.optional(),
  upAt: time.optional(),
  /** It was up when we came: since when isn't known. */
  isLate: z.boolean().optional(),
  endedAt: time.optional(),
  /** Its end was missed. */
  isGone: z.boolean().optional(),
});
export type Leg = z.output<typeof Leg>;

/** A call record, by the names of its columns. */
export const Row = z.record(z.string().max(100), z.string().max(2000));
export type Row = z.output<typeof Row>;

export const Call = z.object({
  /** Linkedid: the Uniqueid of its first channel. */
  id: z.string().min(1).max(200),
  legs: z.array(Leg).max(500),
  rows: z.array(Row).max(500),
  /** We were connected from its beginning on. */
  isWhole: z.boolean(),
  /** `seen`: its last channel has ended; `gone`: it ended while we were not connected; `records`: that is all we have. */
  ended: z.enum(['seen', 'gone', 'records']).optional(),
  /** How often it was told before: a later one counts. */
  told: z.number().int().min(0),
});
export type Call = z.output<typeof Call>;

/** `[systemname-]seconds.sequence`: when a channel was made, milliseconds since the epoch. */
export function timeOfId(id: string): number | undefined {
  const seconds = /(?:^|-)(\d{9,11})\.\d+$/.exec(id)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

/** The older one first, as Asterisk decides which id a call keeps. */
export function byAge(a: string, b: string): number {
  const [one, two] = [a, b].map((id) => [timeOfId(id) ?? 0, Number(/\.(\d+)$/.exec(id)?.[1] ?? 0)] as const);
  if (!one || !two) return 0;
  return one[0] - two[0] || one[1] - two[1];
}
