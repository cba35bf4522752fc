import { createHash } from 'node:crypto';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import { each } from '../../core/each.ts';
import type { ItemInput } from '../../core/envelope.ts';
import type { Payload } from '../../core/payload.ts';
import { secret } from '../../core/secret.ts';
import { charsets, lookupsOf } from './fields.ts';
import type { Lookup } from './fields.ts';

const MAX_BYTES = 256 * 1024;
/** How long the pieces of one text are waited for: gateways pass on each as it comes. */
const PIECES_MS = 10_000;

const name = (description: string) => z.string().min(1).max(200).meta({ description });

const Config = z.strictObject({
  token: secret('Secret part of the address: the gateway calls <PUBLIC_URL>/webhooks/<id>/<token>').refine(
    (value) => /^[A-Za-z0-9_-]{22,200}$/.test(value.reveal()),
    { error: 'is none of 22 to 200 letters, digits, _ and -: `openssl rand -hex 24` makes one' },
  ),
  fields: z
    .strictObject({
      id: name('Id of the message, unique for ever').optional(),
      from: name('Number of the sender'),
      to: name('Your number').optional(),
      text: name('Text'),
      time: name('When it was: seconds or milliseconds since 1970, or a date with its offset from UTC').optional(),
      piecesOf: name('What the pieces of one long SMS have in common').optional(),
      piece: name('Number of the piece').optional(),
    })
    .refine(({ piecesOf, piece }) => (piecesOf === undefined) === (piece === undefined), {
      path: ['piece'],
      error: 'and piecesOf need each other',
    })
    .meta({ description: 'What the gateway calls it: names of parameters; for JSON also paths such as /message/text' }),
  only: z
    .record(z.string().min(1).max(200), z.string().max(1000))
    .default({})
    .meta({ description: 'Values that a message has, where the gateway reports other things to the same address' }),
  charset: z.enum(charsets).default('utf-8').meta({ description: 'How the gateway writes text' }),
  answer: z.string().max(1000).default('OK').meta({ description: 'Body of our answer, where the gateway expects one' }),
});
type Config = z.output<typeof Config>;

export const smsGateway = defineConnector({
  type: 'sms_gateway',
  title: 'SMS gateway',
  summary: 'Takes SMS from any gateway that calls an address for each one, by a mapping of its field names.',
  docs: 'channels/sms-gateway.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: false,
    idempotent: false,
    attachments: { in: false, out: false },
    localhost: true,
    threads: 'person',
    proven: ['14 collected payloads', 'prose'],
  },
  config: Config,
  open(config) {
    return {
      webhook: {
        methods: ['POST', 'GET'],
        maxBytes: MAX_BYTES,
        token: config.token,
        // The host has compared the token; gateways of this kind sign nothing.
        verify: () => undefined,
        respond: () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: config.answer }),
      },
      normalize: (payload) => each(lookupsOf(payload, config.charset), (lookup) => toItem(lookup, config, payload)),
    };
  },
});

function toItem(lookup: Lookup, { fields, only }: Config, { endpointId, receivedAt }: Payload): ItemInput {
  const other = Object.entries(only).find(([key, value]) => lookup(key) !== value);
  if (other) {
    const [key] = other;
    return { kind: 'ignored', name: `${key}=${lookup(key) ?? ''}`.slice(0, 1000), reason: `${key} is another one` };
  }
  const say = (field: keyof Config['fields']) =>
    lookup(fields[field] ?? '')?.slice(0, field === 'text' ? MAX_BYTES : 200);
  const [from, to, text] = [say('from'), say('to'), say('text')];
  if (from === undefined || text === undefined) {
    const missing = from === undefined ? fields.from : fields.text;
    return {
      kind: 'ignored',
      name: `without_${missing}`,
      reason: 'no message: a report, or fields are called otherwise',
    };
  }
  const at = timeOf(say('time')) ?? receivedAt;
  const group = groupOf(from, say('piecesOf'), say('piece'), at);
  const isPhone = /^\+?[\d\s()-]{7,30}$/.test(from);
  return {
    kind: 'message',
    externalId: idOf(say('id') ?? `sha256:${hashOf([from, to, text, at, say('piece')])}`, group),
    occurredAt: at,
    sender: {
      // A name or a short code is another sender in each country.
      identifiers: [{ kind: isPhone ? 'phone' : `sms:${endpointId}`, value: from, trust: 'observed' }],
    },
    thread: { externalId: to === undefined ? from : `${from}/${to}` },
    text,
    ...(/\p{L}/u.test(from) && { automatic: 'notification' as const }),
    ...(group && { group }),
  };
}

/** Some gateways give all pieces the id of the whole. */
function idOf(id: string, group: ReturnType<typeof groupOf>): string {
  return group === undefined ? id : `${id}/${group.piece}`;
}

function groupOf(from: string, whole: string | undefined, piece: string | undefined, at: number) {
  const number = /^\d{1,3}$/.test(piece ?? '') ? Number(piece) : undefined;
  if (whole === undefined || number === undefined) return undefined;
  // Networks number long SMS from 0 to 255 and begin anew: the day tells them apart.
  const day = Math.floor(at / 86_400_000);
  return { key: `${from}/${whole}/${day}`, waitMs: PIECES_MS, piece: number };
}

/** Only what says which moment it is: a time without its offset could be any of 24. */
function timeOf(text: string | undefined): number | undefined {
  if (/^\d{10}$/.test(text ?? '')) return Number(text) * 1000;
  if (/^\d{13}$/.test(text ?? '')) return Number(text);
  return z.iso.datetime({ offset: true }).safeParse(text).success ? Date.parse(text ?? '') : undefined;
}

function hashOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
