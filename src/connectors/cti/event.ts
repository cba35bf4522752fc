import { z } from 'zod';
import { BadPayloadError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';

const words = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => [value].flat().filter((each) => each !== ''));
const text = z.union([z.string(), z.number().transform(String)]);

/** The three events, which share their fields; later ones may leave out what the first one said. */
const Event = z.object({
  event: z.string().min(1).max(100),
  callId: text.pipe(z.string().min(1).max(250)),
  direction: z.enum(['in', 'out']).optional(),
  from: text.optional(),
  to: text.optional(),
  user: words.default([]),
  answeringNumber: text.optional(),
  cause: z.string().optional(),
  diversion: text.optional(),
  queue: z.string().optional(),
  /** Seconds that were talked. */
  duration: z.coerce.number().min(0).optional().catch(undefined),
});
export type Event = z.output<typeof Event>;

type Posted = { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer };

export const isJson = ({ headers }: Pick<Posted, 'headers'>) =>
  /^application\/json\b/i.test(headers['content-type'] ?? '');

/** Reads a form (`user[]` may come several times) or JSON. Throws `BadPayloadError` for anything else. */
export function readEvent(payload: Posted): Event {
  const event = Event.safeParse(isJson(payload) ? toFields(parseJson(payload.body)) : formOf(payload.body));
  if (event.success) return event.data;
  const [issue] = event.error.issues;
  throw new BadPayloadError(`${issue?.path.join('/') ?? ''}: ${issue?.message ?? 'is no event of a call'}`);
}

function formOf(body: Buffer): object {
  const fields: Record<string, string | string[]> = {};
  const form = new URLSearchParams(body.toString());
  for (const name of new Set(form.keys())) {
    const values = form.getAll(name);
    fields[name] = name.endsWith('[]') ? values : (values[0] ?? '');
  }
  return toFields(fields);
}

/** `user[]` is `user`, in JSON too. */
function toFields(value: unknown): object {
  if (typeof value !== 'object' || value === null) return {};
  const fields: Record<string, unknown> = Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name.replace(/\[\]$/, ''), each as unknown]),
  );
  return ofPlacetel(fields) ?? fields;
}

/** How Placetel calls the events and their ends: https://github.com/Placetel/call-control-notify-api */
const PLACETEL_EVENTS = new Map<unknown, string>([
  ['IncomingCall', 'newCall'],
  ['OutgoingCall', 'newCall'],
  ['CallAccepted', 'answer'],
  ['HungUp', 'hangup'],
]);
const PLACETEL_ENDS = new Map<unknown, string>([
  ['accepted', 'normalClearing'],
  ['missed', 'noAnswer'],
  ['canceled', 'cancel'],
  ['unavailable', 'notFound'],
]);

function ofPlacetel({ event, call_id: callId, peer, type, ...rest }: Record<string, unknown>): object | undefined {
  const name = PLACETEL_EVENTS.get(event);
  if (name === undefined) return undefined;
  return { ...rest, event: name, callId, user: peer, cause: PLACETEL_ENDS.get(type) ?? type };
}
