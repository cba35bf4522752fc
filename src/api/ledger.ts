import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { Action } from '../core/action.ts';
import { Item } from '../core/envelope.ts';
import { NotFoundError } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import type { PayloadRow } from '../core/rows.ts';
import type { Store } from '../core/store.ts';
import { LedgerEvent, outcomes, toTime } from '../core/ticket.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import { Id, IdParams, pageOf, pageQuery, present, Time, TimeText, toPageRequest } from './schemas.ts';

const tag = 'Ledger';
/** Most bytes of a payload that are shown. */
const SHOWN_BYTES = 1_000_000;
const DAY_MS = 24 * 3_600_000;

export const PayloadView = z
  .object({
    id: Id,
    receivedAt: TimeText,
    method: z.string(),
    url: z.string(),
    headers: z.record(z.string(), z.string()).meta({ description: 'Values that may hold secrets are redacted' }),
    remoteAddress: z.string().nullable(),
    body: z
      .object({
        encoding: z.enum(['text', 'base64']),
        content: z.string(),
        size: z.number().int().meta({ description: 'Bytes of the whole' }),
        truncated: z.boolean(),
      })
      .nullable()
      .meta({ description: 'Null once the bytes are older than the retention' }),
  })
  .meta({ id: 'Payload' });

const EventView = LedgerEvent.extend({ payload: PayloadView.nullable() }).meta({ id: 'EventView' });

export const ReceiptView = z.object({
  items: z.array(z.object({ outcome: z.string(), ticketId: Id.optional(), ticketNumber: z.number().int().optional() })),
});

export function ledgerOperations({ store, intake, clock }: Gateway): Operation[] {
  const { read } = store;
  return [
    operation({
      method: 'GET',
      path: '/events',
      scope: 'events:read',
      tag,
      summary: 'List what became of everything that was received',
      query: z.strictObject({
        endpoint: Id.optional(),
        outcome: z.enum(outcomes).optional(),
        since: Time.optional(),
        q: z.string().min(1).max(200).optional().meta({
          description:
            'Id of an event, payload, ticket or message; number of a ticket; part of an external id or of a reason',
        }),
        payload: Id.optional(),
        message: Id.optional().meta({ description: 'What the payload became that this message was filed from' }),
        ...pageQuery,
      }),
      answer: pageOf(LedgerEvent),
      async handle({ query: { limit, cursor, ...filter } }) {
        return { body: await read.events(present(filter), toPageRequest({ limit, cursor })) };
      },
    }),
    operation({
      method: 'GET',
      path: '/events/balance',
      scope: 'events:read',
      tag,
      summary: 'Compare the units received with the events written',
      description: 'Without `from` and `to`, the last 24 hours.',
      query: z.strictObject({ from: Time.optional(), to: Time.optional() }),
      answer: z.object({
        received: z.number().int(),
        outcomes: z.record(z.enum(outcomes), z.number().int()),
        balanced: z.boolean(),
      }),
      async handle({ query }) {
        const to = query.to ?? clock.now();
        return { body: await read.balance(query.from ?? to - DAY_MS, to) };
      },
    }),
    operation({
      method: 'GET',
      path: '/events/{id}',
      scope: 'events:read',
      tag,
      summary: 'Show an event with the payload that it came from',
      params: IdParams,
      answer: EventView,
      async handle({ params }) {
        const event = await read.event(params.id);
        if (!event) throw new NotFoundError('There is no such event');
        const row = await read.payload(event.payloadId);
        return { body: { ...event, payload: row ? await toPayloadView(row, store) : null } };
      },
    }),
    operation({
      method: 'GET',
      path: '/events/{id}/items',
      scope: 'events:read',
      tag,
      summary: 'Show what the endpoint of an event makes of its bytes now; nothing is stored',
      params: IdParams,
      answer: z.object({ items: z.array(z.union([Item, Action])) }),
      handle: async ({ params }) => ({ body: { items: await intake.reread(params.id) } }),
    }),
    operation({
      method: 'POST',
      path: '/events/{id}/replay',
      scope: 'events:write',
      tag,
      summary: 'File the item of an event again',
      params: IdParams,
      answer: ReceiptView,
      handle: async ({ params, actor }) => ({ body: await intake.replay(params.id, actor.id) }),
    }),
  ];
}

export async function toPayloadView(row: PayloadRow, store: Store): Promise<z.input<typeof PayloadView>> {
  const bytes = await bytesOf(row, store);
  return {
    id: row.id,
    receivedAt: toTime(row.receivedAt),
    method: row.method,
    url: redactQuery(row.url),
    headers: Object.fromEntries(
      Object.entries(row.headers).map(([name, value]) => [name, isTelling(name) ? REDACTED : value]),
    ),
    remoteAddress: row.remoteAddress ?? null,
    body: bytes ? toBodyView(bytes) : null,
  };
}

/** The bytes lie in the row, in a blob, or in an earlier payload with the same ones. */
async function bytesOf(row: PayloadRow, { read, blobs }: Store): Promise<Buffer | undefined> {
  if (row.body) return row.body;
  if (row.blob !== undefined) return blobs.read(row.blob);
  const earlier = row.sameAs === undefined ? undefined : await read.payload(row.sameAs);
  if (earlier?.body) return earlier.body;
  return earlier?.blob === undefined ? undefined : blobs.read(earlier.blob);
}

function toBodyView(bytes: Buffer) {
  const text = isUtf8(bytes) && !bytes.includes(0);
  const content = bytes.subarray(0, SHOWN_BYTES).toString(text ? 'utf8' : 'base64');
  return {
    encoding: text ? ('text' as const) : ('base64' as const),
    content,
    size: bytes.length,
    truncated: bytes.length > SHOWN_BYTES,
  };
}

const REDACTED = '[redacted]';

/** Names whose values let somebody in, or prove who sent it. */
function isTelling(name: string): boolean {
  return /auth|cookie|secret|token|signature|hmac|passw|api[-_]?key|^key$|^sig$/i.test(name);
}

function redactQuery(url: string): string {
  const [path = '', query] = url.split('?', 2);
  if (query === undefined) return url;
  const parameters = query.split('&').map((pair) => {
    const [name = ''] = pair.split('=', 1);
    return isTelling(name) ? `${name}=${REDACTED}` : pair;
  });
  return `${path}?${parameters.join('&')}`;
}
