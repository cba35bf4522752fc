import { z } from 'zod';
import { callMoods, callOutcomes } from '../../core/envelope.ts';
import type { Attachment, Call, EnvelopeInput, Identifier, ItemInput, Trust } from '../../core/envelope.ts';
import { fieldText } from '../../core/source.ts';
import { readTime } from './time.ts';

/** Senders write ids, names and times as they like: a number is as good as its digits, null is left out. */
const word = (max: number) =>
  z
    .unknown()
    .transform((value, context) => {
      const text = wordOf(value, context);
      if (text.length > max) context.addIssue(`is longer than ${max} characters`);
      return text || undefined;
    })
    .optional();

/** A label: one that is too long is cut rather than refused, the whole of it stays in the payload. */
const label = z
  .unknown()
  .transform((value, context) => clip(wordOf(value, context), 1000) || undefined)
  .optional();

const longText = (max: number) =>
  z
    .string()
    .max(max)
    .nullish()
    .transform((value) => value || undefined);

function wordOf(value: unknown, context: { addIssue(message: string): void }): string {
  if (typeof value === 'string') return value.trim();
  if (typeof value === 'number') return String(value);
  if (value !== null && value !== undefined) context.addIssue('is neither text nor a number');
  return '';
}

const amount = z.union([z.number(), z.string().regex(/^-?\d{1,15}(\.\d{1,15})?$/)]).transform(Number);

const time = z.union([z.string(), z.number()]).transform((value, context) => {
  const ms = readTime(value);
  if (ms !== undefined) return ms;
  context.addIssue('is not a time: RFC 3339 with an offset (2026-11-22T10:00:00Z), or epoch seconds or milliseconds');
  return z.NEVER;
});

const NativeAttachment = z.object({
  name: label,
  mediaType: word(255),
  content: longText(64 * 1024 * 1024),
  url: word(4000),
});
export type NativeAttachment = z.output<typeof NativeAttachment>;
export const NativeAttachments = z.array(NativeAttachment).max(200).nullish();

const Native = z.looseObject({
  id: word(512),
  kind: z
    .enum(['message', 'form', 'review', 'call'])
    .nullish()
    .transform((kind) => kind ?? 'message'),
  revision: amount
    .pipe(z.number().int().min(0))
    .nullish()
    .transform((revision) => revision ?? 0),
  direction: z
    .enum(['inbound', 'outbound'])
    .nullish()
    .transform((direction) => direction ?? 'inbound'),
  thread: word(512),
  inReplyTo: word(512),
  references: z
    .array(word(512))
    .max(99)
    .nullish()
    .transform((ids) => ids ?? []),
  from: z.object({ id: word(512), name: label, email: word(512), phone: word(512) }),
  subject: label,
  text: longText(1_000_000),
  html: longText(2_000_000),
  occurredAt: time.nullish(),
  attachments: NativeAttachments,
  fields: z.record(z.string(), z.unknown()).nullish(),
  review: z.object({ rating: amount, maxRating: amount, product: label, url: word(2000) }).nullish(),
  call: z
    .object({
      outcome: z.enum(callOutcomes),
      from: word(1000),
      to: word(1000),
      agent: label,
      waitedSec: amount.nullish(),
      talkedSec: amount.nullish(),
      transcript: longText(1_000_000),
      summary: longText(10_000),
      // A word that we don't know is no reason to refuse the call.
      mood: z.enum(callMoods).optional().catch(undefined),
    })
    .nullish(),
});
type Native = z.output<typeof Native>;

export interface NativeContext {
  /** Kind of the identifier that `from.id` is: `webhook:<channel>`. */
  readonly identifierKind: string;
  readonly trust: { readonly email: Trust; readonly phone: Trust };
  readonly receivedAt: number;
  /** What the element is called when it has no id. */
  readonly fallbackId: () => string;
  /** Whether an element that says nobody is refused, or from a customer of its own (a form without an address). */
  readonly nobody: 'refused' | 'somebody';
  /** Position of the element in its payload, part of the ids of attachments. */
  readonly index: number;
}

/** One element of the native shape as an item. Throws with every problem and its pointer. */
export function toItem(element: unknown, context: NativeContext): ItemInput {
  const read = Native.safeParse(element);
  if (!read.success) throw new Error(problemsOf(read.error));
  const native = read.data;
  const fields = fieldsOf(native);
  if (isEmpty(native) && Object.keys(fields).length === 0) {
    return { kind: 'ignored', name: 'empty', reason: 'has no subject, text, html, attachment or field' };
  }
  const externalId = native.id ?? context.fallbackId();
  const common = {
    externalId,
    revision: native.revision,
    occurredAt: native.occurredAt ?? context.receivedAt,
    direction: native.direction,
    sender: { name: native.from.name, identifiers: identifiersOf(native.from, context, externalId) },
    thread: {
      externalId: native.thread,
      references: [...native.references, native.inReplyTo].filter((id) => id !== undefined),
    },
    subject: native.subject,
    text: native.text ?? '',
    html: native.html,
    attachments: (native.attachments ?? []).map((entry, position) =>
      toAttachment(entry, `${context.index}/${position}`),
    ),
    fields,
  } satisfies Partial<EnvelopeInput>;
  switch (native.kind) {
    case 'review':
      return { kind: 'review', ...common, review: needed(native.review, 'review') };
    case 'call':
      return { kind: 'call', ...common, call: callOf(native, needed(native.call, 'call')) };
    default:
      return { kind: native.kind, ...common };
  }
}

function isEmpty({ subject, text, html, attachments, review, call }: Native): boolean {
  return !(subject || text || html || attachments?.length || review || call);
}

function identifiersOf(from: Native['from'], context: NativeContext, externalId: string): Identifier[] {
  const identifiers: Identifier[] = [];
  if (from.id) identifiers.push({ kind: context.identifierKind, value: from.id, trust: 'verified' });
  if (from.email) identifiers.push({ kind: 'email', value: from.email, trust: context.trust.email });
  if (from.phone) identifiers.push({ kind: 'phone', value: from.phone, trust: context.trust.phone });
  if (identifiers.length === 0 && context.nobody === 'somebody') {
    return [{ kind: context.identifierKind, value: externalId, trust: 'claimed' }];
  }
  if (identifiers.length === 0) throw new Error('/from: needs an id, email or phone, else nobody can be answered');
  return identifiers;
}

function callOf(native: Native, call: NonNullable<Native['call']>): Call {
  return {
    ...call,
    direction: native.direction,
    from: call.from ?? native.from.phone ?? '',
    to: call.to ?? '',
    waitedSec: call.waitedSec ?? undefined,
    talkedSec: call.talkedSec ?? undefined,
  };
}

function toAttachment({ name, mediaType, content }: NativeAttachment, id: string): Attachment {
  return {
    id,
    name: name ?? 'file',
    mediaType: mediaType ?? 'application/octet-stream',
    size: content && isBase64(content) ? Buffer.byteLength(content, 'base64') : undefined,
  };
}

/** Whether all of it is base64: anything else would be decoded into something that nobody sent. */
export function isBase64(content: string): boolean {
  return content.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(content);
}

/** `fields`, and every key that the shape doesn't know: a new key of the sender must not vanish. */
function fieldsOf(native: Native): Record<string, string> {
  const unknown = Object.entries(native).filter(([name]) => !Object.hasOwn(Native.shape, name));
  const pairs = [...unknown, ...Object.entries(native.fields ?? {})].flatMap(([name, value]) => {
    const text = fieldText(value);
    return name && text !== undefined ? [[clip(name, 200), clip(text, 10_000)] as const] : [];
  });
  return Object.fromEntries(pairs);
}

function problemsOf(error: z.ZodError): string {
  return error.issues.map((issue) => `/${issue.path.map(String).join('/')}: ${issue.message}`).join('; ');
}

function needed<T>(value: T | null | undefined, name: string): T {
  if (value === null || value === undefined) throw new Error(`/${name}: is missing, and kind is ${name}`);
  return value;
}

function clip(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}
