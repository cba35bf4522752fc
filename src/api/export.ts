import { z } from 'zod';
import { MessageContentView } from '../core/people.ts';
import { ConflictError, NotFoundError } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import type { Page, PageRequest, Reader } from '../core/reader.ts';
import type { Store } from '../core/store.ts';
import { Customer, DeliveryView, Message, Ticket, toTime } from '../core/ticket.ts';
import { PayloadView, toPayloadView } from './ledger.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import { Id, IdParams, TimeText } from './schemas.ts';

/** Entries that are in memory at a time. */
const PAGE = 50;

const ExportedMessage = Message.extend({
  history: z.array(MessageContentView).meta({ description: 'What it said before it was changed, the oldest first' }),
  received: z
    .object({ at: TimeText, endpoint: Id, payload: PayloadView.nullable() })
    .nullable()
    .meta({ description: 'The request that it came in; without its contents where others are spoken of in it' }),
});

const Export = z
  .object({
    exportedAt: TimeText,
    customer: Customer,
    joined: z
      .array(Customer)
      .meta({ description: 'Those who were joined into him, as far as something is left of them' }),
    tickets: z.array(Ticket),
    messages: z
      .array(ExportedMessage)
      .meta({ description: 'Of all his tickets, and his in those of others; the newest first' }),
    files: z
      .array(
        z.object({
          id: Id,
          name: z.string(),
          mediaType: z.string(),
          size: z.number().nullable(),
          messageId: Id,
          url: z.string(),
        }),
      )
      .meta({ description: 'To be fetched one by one' }),
    deliveries: z.array(DeliveryView).meta({ description: 'What destinations were told of his tickets' }),
  })
  .meta({ id: 'CustomerExport' });

/** Everything that is known of one person, for him: as it is read, a little at a time. */
export function exportOperation({ store, clock }: Gateway): Operation {
  return operation({
    method: 'GET',
    path: '/customers/{id}/export',
    scope: 'customers:export',
    tag: 'Customers',
    summary: 'Export everything that is known of a customer',
    description:
      'What others said in the same tickets is left out, and so is what colleagues noted down of who he is not. Noted in the audit log.',
    params: IdParams,
    answer: Export,
    async handle({ params, actor }) {
      const customer = await store.read.customer(params.id);
      if (!customer) throw new NotFoundError('There is no such customer');
      if (customer.mergedInto !== null) throw new ConflictError(`He was merged into ${customer.mergedInto}`);
      const at = clock.now();
      await store.write([], (tx) => tx.audit({ at, actor: actor.id, action: 'customer.export', target: customer.id }));
      return {
        headers: { 'content-disposition': `attachment; filename="${customer.id}.json"` },
        stream: () => exported(store, customer, toTime(at)),
      };
    },
  });
}

async function* exported(store: Store, customer: Customer, exportedAt: string): AsyncGenerator<string> {
  const { read } = store;
  const { id } = customer;
  const own = new Set(customer.identifiers.map(({ kind, value }) => `${kind}:${value}`));
  const timeline = () => all((page) => read.timeline(id, page));
  const tickets = () => all((page) => read.tickets({ customer: id }, page));
  yield `{"exportedAt":${JSON.stringify(exportedAt)},"customer":${JSON.stringify(customer)}`;
  yield* list('joined', joinedInto(read, id));
  yield* list('tickets', tickets());
  yield* list(
    'messages',
    each(timeline(), (message) => withOrigin(store, message, own)),
  );
  yield* list('files', files(timeline()));
  yield* list('deliveries', told(read, tickets()));
  yield '}\n';
}

async function* list(name: string, entries: AsyncIterable<unknown>): AsyncGenerator<string> {
  let before = `,"${name}":[`;
  for await (const entry of entries) {
    yield before + JSON.stringify(entry);
    before = ',';
  }
  yield before === ',' ? ']' : `${before}]`;
}

async function* all<T>(read: (page: PageRequest) => Promise<Page<T>>): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const page = await read({ limit: PAGE, ...(cursor !== undefined && { cursor }) });
    yield* page.data;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

async function* each<T, U>(entries: AsyncIterable<T>, to: (entry: T) => Promise<U>): AsyncGenerator<U> {
  for await (const entry of entries) yield await to(entry);
}

/** With what it said before, and the request that it came in. Of reactions, his own. */
async function withOrigin(
  store: Store,
  message: Message,
  own: ReadonlySet<string>,
): Promise<z.input<typeof ExportedMessage>> {
  const { read } = store;
  const events = await read.events({ message: message.id }, { limit: PAGE });
  // Behind the first one, what came of filing it again.
  const event = events.data.at(-1);
  const row = event && (await read.payload(event.payloadId));
  return {
    ...message,
    reactions: message.reactions.filter(({ author }) => own.has(author)),
    history: [...(await read.history(message.id))],
    received: event
      ? {
          at: event.receivedAt,
          endpoint: event.endpoint,
          // Several items may be several people's.
          payload: row?.units === 1 ? await toPayloadView(row, store) : null,
        }
      : null,
  };
}

async function* files(messages: AsyncIterable<Message>) {
  for await (const message of messages) {
    for (const { id, name, mediaType, size, url } of message.attachments) {
      yield { id, name, mediaType, size, messageId: message.id, url };
    }
  }
}

async function* told(read: Reader, tickets: AsyncIterable<Ticket>) {
  for await (const { id } of tickets) yield* all((page) => read.deliveries({ ticket: id }, page));
}

/** Everybody who was joined into him, also by way of others. */
async function* joinedInto(read: Reader, id: string): AsyncGenerator<Customer> {
  const found = new Set([id]);
  for (const winner of found) {
    for (const { kind, loser, winner: into, undoneAt } of await read.merges(winner)) {
      if (kind !== 'merge' || into !== winner || undoneAt !== null || found.has(loser)) continue;
      found.add(loser);
      const customer = await read.customer(loser);
      if (customer) yield customer;
    }
  }
}
