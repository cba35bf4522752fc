import { z } from 'zod';
import { Fields } from '../core/envelope.ts';
import { ConflictError, NotFoundError } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import { statusUrlOf } from '../core/status-page.ts';
import { Message, priorities, Ticket, ticketStatuses } from '../core/ticket.ts';
import { operation } from './operation.ts';
import type { Answer, Call, Operation } from './operation.ts';
import { ApiError } from './problem.ts';
import { NewReply, ReplyChannel, toReplyChannel } from './replies.ts';
import { Id, IdParams, listOf, pageOf, pageQuery, PageQuery, present, Text, Time, toPageRequest } from './schemas.ts';

const tag = 'Tickets';
const NOBODY = 'none';
const Word = z.string().min(1).max(200);
/** Base64 makes files a third longer. */
const REPLY_BYTES = 25_000_000;

export const TicketQuery = z.strictObject({
  status: listOf(z.enum(ticketStatuses)).optional(),
  channel: Word.optional(),
  channelType: Word.optional(),
  customer: Word.optional(),
  assignee: Word.transform((id) => (id === NOBODY ? null : id))
    .optional()
    .meta({ description: '`none`: tickets that nobody has taken' }),
  team: Word.optional(),
  priority: z.enum(priorities).optional(),
  tag: Word.optional().meta({ description: 'In small or capital letters' }),
  kind: Word.optional(),
  q: Word.optional().meta({ description: 'Words of messages, subjects and names, or a ticket number' }),
  updatedSince: Time.optional(),
  sort: z.enum(['-updatedAt', 'updatedAt', '-createdAt', 'createdAt']).optional(),
  ...pageQuery,
});

const NewTicket = z.strictObject({
  subject: z
    .string()
    .max(1000)
    .optional()
    .meta({ description: 'Customers may see it in a help desk. Without one it is the customer’s name' }),
  text: Text.meta({ description: 'Filed as the first note, which the customer does not see' }),
  customer: z.union([
    z.strictObject({ id: Id }),
    z.strictObject({
      name: z.string().max(1000).optional(),
      identifiers: z
        .array(z.strictObject({ kind: z.string().max(100), value: z.string().min(1).max(512) }))
        .min(1)
        .max(20),
    }),
  ]),
  priority: z.enum(priorities).optional(),
  tags: z.array(Word).max(50).optional(),
  fields: Fields.optional(),
});

const TicketPatch = z.strictObject({
  subject: z.string().max(1000).optional(),
  status: z.enum(ticketStatuses).optional(),
  priority: z.enum(priorities).optional(),
  assignee: Word.nullable().optional(),
  team: Word.nullable().optional(),
  tags: z.array(Word).max(50).optional(),
  fields: Fields.optional(),
  language: z.string().max(35).nullable().optional(),
});

const ListedTicket = Ticket.extend({
  statusUrl: z
    .url()
    .meta({ description: 'The page where its customer sees how it is doing: for him, and nobody who may not read it' }),
}).meta({ id: 'ListedTicket' });

const TicketView = ListedTicket.extend({
  replyChannels: z.array(ReplyChannel).meta({ description: 'Channels that an answer may take, the default first' }),
}).meta({ id: 'TicketView' });

export function ticketOperations({ store, desk, statusPages }: Gateway): Operation[] {
  const { read } = store;
  const listed = (ticket: Ticket) => ({ ...ticket, statusUrl: statusUrlOf(statusPages, ticket.id) });

  async function ticketOf(id: string): Promise<Ticket> {
    const ticket = await read.ticket(id);
    if (!ticket) throw new NotFoundError('There is no such ticket');
    return ticket;
  }

  async function messageOf(id: string): Promise<Answer> {
    const message = await read.message(id);
    if (!message) throw new NotFoundError('There is no such message');
    return { body: message };
  }

  const answerTicket = (ticket: Ticket): Answer => ({ body: listed(ticket), headers: { etag: `"${ticket.version}"` } });

  async function answerView(ticket: Ticket): Promise<Answer> {
    const channels = await desk.replyChannels(ticket.id);
    const replyChannels = channels.map(toReplyChannel);
    return { ...answerTicket(ticket), body: { ...listed(ticket), replyChannels } };
  }

  async function change({
    params,
    body,
    actor,
    ifVersion,
  }: Call<z.output<typeof IdParams>, z.output<typeof TicketPatch>, z.output<typeof TicketPatch>>) {
    try {
      await desk.updateTicket(params.id, present(body), actor.id, ifVersion);
    } catch (error) {
      const moved = ifVersion !== undefined && (await read.ticket(params.id))?.version !== ifVersion;
      if (!(error instanceof ConflictError && moved)) throw error;
      throw new ApiError(412, 'version_mismatch', 'The ticket has changed since: read it again.');
    }
    return answerTicket(await ticketOf(params.id));
  }

  return [
    operation({
      method: 'GET',
      path: '/tickets',
      scope: 'tickets:read',
      tag,
      summary: 'List tickets',
      query: TicketQuery,
      answer: pageOf(ListedTicket),
      async handle({ query: { limit, cursor, ...filter } }) {
        const { data, nextCursor } = await read.tickets(present(filter), toPageRequest({ limit, cursor }));
        return { body: { data: data.map(listed), nextCursor } };
      },
    }),
    operation({
      method: 'POST',
      path: '/tickets',
      scope: 'tickets:write',
      tag,
      summary: 'Open a ticket for a customer',
      body: NewTicket,
      status: 201,
      answer: ListedTicket,
      async handle({ body: { customer, ...rest }, actor, once }) {
        const ticket = { ...present(rest), customer: present(customer) };
        const { ticketId } = await desk.createTicket(ticket, actor.id, once);
        return answerTicket(await ticketOf(ticketId));
      },
    }),
    operation({
      method: 'GET',
      path: '/tickets/by-number/{number}',
      scope: 'tickets:read',
      tag,
      summary: 'Show a ticket by its number',
      params: z.strictObject({ number: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) }),
      answer: TicketView,
      async handle({ params }) {
        const ticket = await read.ticketByNumber(params.number);
        if (!ticket) throw new NotFoundError('There is no such ticket');
        return answerView(ticket);
      },
    }),
    operation({
      method: 'GET',
      path: '/labels',
      scope: 'tickets:read',
      tag,
      summary: 'List the tags and teams that tickets have',
      description: 'At most 200 of each, in order.',
      answer: z.object({ tags: z.array(z.string()), teams: z.array(z.string()) }),
      handle: async () => ({ body: await read.labels() }),
    }),
    operation({
      method: 'GET',
      path: '/tickets/{id}',
      scope: 'tickets:read',
      tag,
      summary: 'Show a ticket',
      params: IdParams,
      answer: TicketView,
      handle: async ({ params }) => answerView(await ticketOf(params.id)),
    }),
    operation({
      method: 'PATCH',
      path: '/tickets/{id}',
      scope: 'tickets:write',
      tag,
      summary: 'Change a ticket',
      description: 'With `If-Match`, only if it has not changed since (412).',
      params: IdParams,
      body: TicketPatch,
      ifMatch: 'accepted',
      answer: ListedTicket,
      handle: change,
    }),
    operation({
      method: 'GET',
      path: '/tickets/{id}/messages',
      scope: 'tickets:read',
      tag,
      summary: 'List the messages of a ticket, in order',
      params: IdParams,
      query: PageQuery,
      answer: pageOf(Message),
      async handle({ params, query }) {
        await ticketOf(params.id);
        return { body: await read.messages(params.id, toPageRequest(query)) };
      },
    }),
    operation({
      method: 'GET',
      path: '/messages/{id}',
      scope: 'tickets:read',
      tag,
      summary: 'Show a message',
      params: IdParams,
      answer: Message,
      handle: ({ params }) => messageOf(params.id),
    }),
    operation({
      method: 'POST',
      path: '/tickets/{id}/replies',
      scope: 'tickets:write',
      tag,
      summary: 'Answer the customer',
      description:
        'The answer is queued; what becomes of it shows in `delivery` of the message. 422 names `/template` where the channel takes nothing else, or none.',
      params: IdParams,
      body: NewReply,
      maxBytes: REPLY_BYTES,
      status: 201,
      answer: Message,
      async handle({ params, body: { attachments, ...rest }, actor, once }) {
        const files = attachments?.map((file) => ({ ...file, content: Buffer.from(file.content, 'base64') }));
        const reply = { ...present(rest), ...(files && { attachments: files }) };
        return messageOf((await desk.reply(params.id, reply, actor.id, once)).messageId);
      },
    }),
    operation({
      method: 'POST',
      path: '/tickets/{id}/notes',
      scope: 'tickets:write',
      tag,
      summary: 'Leave a note that the customer does not see',
      params: IdParams,
      body: z.strictObject({ text: Text }),
      status: 201,
      answer: Message,
      handle: async ({ params, body, actor, once }) =>
        messageOf((await desk.note(params.id, body, actor.id, once)).messageId),
    }),
    operation({
      method: 'POST',
      path: '/tickets/{id}/merge',
      scope: 'tickets:write',
      tag,
      summary: 'Merge a ticket into another one',
      params: IdParams,
      body: z.strictObject({ into: Id }),
      answer: ListedTicket,
      async handle({ params, body, actor, once }) {
        await desk.mergeTickets(params.id, body.into, actor.id, once);
        return answerTicket(await ticketOf(body.into));
      },
    }),
    operation({
      method: 'POST',
      path: '/tickets/{id}/split',
      scope: 'tickets:write',
      tag,
      summary: 'Move messages into a new ticket of the same customer',
      params: IdParams,
      body: z.strictObject({ messages: z.array(Id).min(1).max(100) }),
      status: 201,
      answer: ListedTicket,
      async handle({ params, body, actor, once }) {
        const { ticketId } = await desk.splitTicket(params.id, body.messages, actor.id, once);
        return answerTicket(await ticketOf(ticketId));
      },
    }),
  ];
}
