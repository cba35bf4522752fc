import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination, Preview, TicketRef, TicketUpdate } from '../../core/destination.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { contactOf, FieldMapping, mapFields, toTheirs, values } from '../../core/field-mapping.ts';
import { secret } from '../../core/secret.ts';
import { priorities, ticketStatuses, type Customer, type Message } from '../../core/ticket.ts';
import { toPlainText } from '../../core/words.ts';
import { addressOf, createApi, Id, quoted, type Api } from './api.ts';
import { namedFiles, readFiles, type Files } from './files.ts';
import { createPoll, readContent, toActions } from './way-back.ts';

const Config = z.strictObject({
  apiRoot: z
    .url({ protocol: /^https?$/, error: 'is not an http or https address' })
    .max(2000)
    .meta({ description: 'Where Request Tracker is, as browsers open it: https://rt.example.com' }),
  token: secret('Auth token of the account that the gateway works as'),
  queue: z.string().min(1).max(200).meta({ description: 'The queue that tickets are made in' }),
  idField: z
    .string()
    .regex(/^[\w .-]{1,200}$/, { error: 'is letters, digits, spaces, dots, - and _' })
    .default('TributaryId')
    .meta({ description: 'Custom field of the queue that holds our ticket’s id: how a ticket is found again' }),
  requestors: z.enum(['by_id', 'by_email']).default('by_id').meta({
    description:
      'by_id: users without an address, whom RT can’t write to. by_email: RT’s own user with the customer’s address; then RT must not write to requestors',
  }),
  maxAttachmentBytes: z
    .number()
    .int()
    .min(0)
    .max(50_000_000)
    .default(10_000_000)
    .meta({ description: 'All files of one message together; not more than $MaxAttachmentSize there' }),
  fields: FieldMapping,
  statuses: values(
    ticketStatuses,
    { new: 'new', open: 'open', pending: 'stalled', solved: 'resolved', closed: ['resolved', 'rejected', 'deleted'] },
    'What our statuses are called there: of a list the first is written, all are read',
  ),
  priorities: values(priorities, { low: 0, normal: 50, high: 100, urgent: 100 }, 'Our priorities as numbers there'),
});
type Config = z.output<typeof Config>;

const Created = z.object({ id: Id });
const Found = z.object({ items: z.array(z.object({ id: Id })) });
const Noted = z.object({ items: z.array(z.object({ Data: z.string().nullish() })) });
const Queue = z.object({ Name: z.string(), TicketCustomFields: z.array(z.object({ name: z.string() })).default([]) });
const Status = z.object({ Status: z.string() });
const Version = z.object({ Version: z.string() });
const Anything = z.unknown();
/** `Correspondence added`, in the language of the account. */
const Added = z.array(z.string()).min(1);

const TEXT_BYTES = 500_000;
/** The columns hold 200 and 255 characters. */
const SUBJECT = 200;
const MARKED_SUBJECT = 150;
const MOST_FILE_BYTES = 50_000_000;

/** Keeps tickets in Request Tracker 5 over REST 2.0, and brings back what agents do there. */
export const requestTracker = defineDestination({
  type: 'request_tracker',
  title: 'Request Tracker',
  summary: 'Keeps tickets in Request Tracker 5; answers, comments and statuses come back.',
  docs: 'destinations/request-tracker.md',
  stability: 'beta',
  capabilities: { carries: 'tickets', idempotent: false, localhost: true, proven: ['a real Request Tracker 5.0.3'] },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context.http);
  const bodyOf = (delivery: Delivery, files: Files) => ticketOf(delivery, config, context.publicUrl, files);
  const refOf = (id: string): TicketRef => ({
    externalId: id,
    url: `${config.apiRoot.replace(/\/$/, '')}/Ticket/Display.html?id=${id}`,
  });
  let ready: Promise<void> | undefined;

  /** Without the field RT drops our id without a word, and finds nothing: each repeat would make another ticket. */
  async function checkQueue(): Promise<void> {
    const { Name, TicketCustomFields } = await api.ask(Queue, { path: `queue/${encodeURIComponent(config.queue)}` });
    if (TicketCustomFields.some(({ name }) => name === config.idField)) return;
    throw new RetryableError(`the queue ${Name} has no custom field ${config.idField}`, {
      hint: `In RT: Admin, Custom Fields: make ${config.idField} (enter one value, for tickets) and apply it to the queue.`,
    });
  }
  function checked(): Promise<void> {
    ready ??= checkQueue().catch((error: unknown) => {
      ready = undefined;
      throw error;
    });
    return ready;
  }

  return {
    async createTicket(delivery) {
      await checked();
      const files = await readFiles(delivery, config.maxAttachmentBytes);
      await makeUser(api, config, delivery.customer);
      const { id } = await api.ask(Created, { method: 'POST', path: 'ticket', body: bodyOf(delivery, files) });
      return refOf(id);
    },
    preview: (delivery): Preview => ({
      method: 'POST',
      url: addressOf(config.apiRoot, 'ticket'),
      body: bodyOf(delivery, namedFiles(delivery.message, config.maxAttachmentBytes)),
    }),
    async addMessage(ref, delivery) {
      const { message, ticket } = delivery;
      const files = await readFiles(delivery, config.maxAttachmentBytes);
      const isCustomers = message.direction === 'inbound' && message.kind !== 'note';
      await api.ask(Added, {
        method: 'POST',
        path: `ticket/${encodeURIComponent(ref.externalId)}/${isCustomers ? 'correspond' : 'comment'}`,
        body: {
          Subject: `${clip(ticket.subject, MARKED_SUBJECT)} [${markOf(message)}]`,
          ...wordsOf(delivery, context.publicUrl, files),
        },
      });
    },
    update: (ref, update) => changeTicket(api, config, ref, update),
    async findTicket(ticket) {
      await checked();
      const query = `'CF.{${config.idField}}' = ${quoted(ticket.id)}`;
      const { items } = await api.ask(Found, { path: 'tickets', query: { query, orderby: 'id', order: 'ASC' } });
      return items[0] && refOf(items[0].id);
    },
    async hasMessage(ref, message) {
      const mark = `[${markOf(message)}]`;
      // RT keeps the subject of what was added in `Data` of its transaction.
      const query = `TicketId = ${quoted(ref.externalId)} AND Data LIKE ${quoted(markOf(message))}`;
      const { items } = await api.ask(Noted, {
        path: 'transactions',
        query: { query, fields: 'Data', per_page: '100' },
      });
      return items.some(({ Data }) => Data?.includes(mark) ?? false);
    },
    poll: createPoll(api),
    normalize: (payload) => toActions(payload, config.statuses),
    download: async ({ id }) => Readable.from([await readContent(api, id, MOST_FILE_BYTES)]),
    async test() {
      await checkQueue();
      const { Version: version } = await api.ask(Version, { path: 'rt' });
      return `Request Tracker ${version} takes the token, and ${config.queue} has the field ${config.idField}`;
    },
  };
}

function ticketOf(delivery: Delivery, config: Config, publicUrl: string, files: Files): object {
  const { ticket, customer } = delivery;
  return {
    Queue: config.queue,
    Subject: clip(ticket.subject, SUBJECT),
    Requestor: [requestorOf(config, customer).name],
    Priority: toTheirs(config.priorities, ticket.priority),
    ...wordsOf(delivery, publicUrl, files),
    CustomFields: { ...mapFields(config.fields, delivery), [config.idField]: ticket.id },
  };
}

function wordsOf(delivery: Delivery, publicUrl: string, { sent, unsent }: Files): object {
  const Content = toPlainText(delivery, { publicUrl, max: TEXT_BYTES, unsent });
  return { Content, ContentType: 'text/plain', ...(sent.length > 0 && { Attachments: sent }) };
}

/** What an append is found by: an edit, a failure and a withdrawal are told of beside the message itself. */
function markOf({ id, revision, delivery, deletedAt }: Message): string {
  const marks = [
    ...(revision > 0 ? [`r${revision}`] : []),
    ...(delivery?.state === 'failed' ? ['failed'] : []),
    ...(deletedAt === null ? [] : ['deleted']),
  ];
  return [id, ...marks].join('.');
}

function requestorOf({ requestors }: Config, customer: Customer): { name: string; email?: string } {
  const email = requestors === 'by_email' ? contactOf(customer, 'email') : undefined;
  return email === undefined ? { name: `tributary-${customer.id}` } : { name: email, email };
}

/** RT makes no user of a name alone. One who is there already is left as he is. */
async function makeUser(api: Api, config: Config, customer: Customer): Promise<void> {
  const { name, email } = requestorOf(config, customer);
  const phone = contactOf(customer, 'phone');
  const body = {
    Name: name,
    ...(email !== undefined && { EmailAddress: email }),
    ...(customer.name !== null && { RealName: clip(customer.name, 120) }),
    ...(phone !== undefined && { MobilePhone: clip(phone, 30) }),
  };
  try {
    await api.ask(Anything, { method: 'POST', path: 'user', body });
  } catch (error) {
    // "Name in use", "Email address in use".
    if (!(error instanceof PermanentError && error.response?.status === 400 && / in use/.test(error.response.text))) {
      throw error;
    }
  }
}

async function changeTicket(
  api: Api,
  config: Config,
  ref: TicketRef,
  { status, priority }: TicketUpdate,
): Promise<void> {
  const path = `ticket/${encodeURIComponent(ref.externalId)}`;
  const wanted = status && String(toTheirs(config.statuses, status));
  const body = {
    ...(wanted !== undefined && { Status: wanted }),
    ...(priority && { Priority: toTheirs(config.priorities, priority) }),
  };
  const answer = await api.ask(Anything, { method: 'PUT', path, body });
  if (wanted === undefined) return;
  // It answers 200 also where it refused, in words of the account's language.
  const { Status: now } = await api.ask(Status, { path });
  if (now === wanted) return;
  throw new PermanentError(`the status stayed ${now} instead of ${wanted}: ${JSON.stringify(answer).slice(0, 500)}`, {
    hint: 'Look at `statuses` of the destination, and at the lifecycle of the queue.',
  });
}

/** One line of at most so many characters. */
function clip(text: string, max: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > max ? `${line.slice(0, max - 1).toWellFormed()}…` : line;
}
