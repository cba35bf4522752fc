import { z } from 'zod';
import { Identifier } from '../core/envelope.ts';
import { NotFoundError } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import { Merge, Suggestion, Trace } from '../core/people.ts';
import type { Page, PageRequest } from '../core/reader.ts';
import type { Moved } from '../core/rows.ts';
import { Customer, Message } from '../core/ticket.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import { ApiError } from './problem.ts';
import { Id, IdParams, pageOf, pageQuery, PageQuery, present, toPageRequest } from './schemas.ts';

const tag = 'Customers';
const IdentifierRef = z.strictObject({ kind: Identifier.shape.kind, value: Identifier.shape.value });

/** What would move, or did: how much, and the last of the messages. */
const Moves = z
  .object({
    identifiers: z.number().int(),
    tickets: z.number().int(),
    messages: z.number().int(),
    newest: z.array(Message).meta({ description: 'At most 20, the newest first' }),
  })
  .meta({ id: 'Moves' });
const SHOWN = 20;
/** Kept with a merge or split: what says that they are one person, or two. */
const Reason = z.string().trim().min(1).max(500);

export function customerOperations({ store, desk }: Gateway): Operation[] {
  const { read } = store;

  async function customerOf(id: string): Promise<Customer> {
    const customer = await read.customer(id);
    if (!customer) throw new NotFoundError('There is no such customer');
    return customer;
  }

  async function toMoves({ identifiers, claims, tickets, messages }: Moved): Promise<z.output<typeof Moves>> {
    const newest = await Promise.all(messages.slice(-SHOWN).map((id) => read.message(id)));
    return {
      identifiers: identifiers.length + claims.length,
      tickets: tickets.length,
      messages: messages.length,
      newest: newest.filter((message) => message !== undefined).reverse(),
    };
  }

  /** Kinds may have a colon themselves (`webhook:intake:u-7`), so the longer reading is tried first. */
  async function find(text: string, q: string | undefined, page: PageRequest): Promise<Page<Customer>> {
    const readings = readingsOf(text);
    if (readings.length === 0) {
      const problems = [{ pointer: '/query/identifier', message: 'is kind:value' }];
      throw new ApiError(400, 'invalid_request', 'The request has fields at fault.', { problems });
    }
    for (const identifier of readings) {
      const found = await read.customers({ identifier, ...(q !== undefined && { q }) }, page);
      if (found.data.length > 0) return found;
    }
    return { data: [], nextCursor: null };
  }

  return [
    operation({
      method: 'GET',
      path: '/customers',
      scope: 'customers:read',
      tag,
      summary: 'List customers',
      query: z.strictObject({
        q: z.string().min(1).max(200).optional(),
        identifier: z
          .string()
          .min(1)
          .max(620)
          .optional()
          .meta({ description: '`kind:value`, as in `email:o@example.com`' }),
        ...pageQuery,
      }),
      answer: pageOf(Customer),
      async handle({ query: { q, identifier, ...page } }) {
        const request = toPageRequest(page);
        if (identifier !== undefined) return { body: await find(identifier, q, request) };
        return { body: await read.customers(present({ q }), request) };
      },
    }),
    operation({
      method: 'GET',
      path: '/customers/{id}',
      scope: 'customers:read',
      tag,
      summary: 'Show a customer',
      params: IdParams,
      answer: Customer,
      handle: async ({ params }) => ({ body: await customerOf(params.id) }),
    }),
    operation({
      method: 'GET',
      path: '/customers/{id}/timeline',
      scope: 'customers:read',
      tag,
      summary: 'List the messages of all tickets of a customer, newest first',
      params: IdParams,
      query: PageQuery,
      answer: pageOf(Message),
      async handle({ params, query }) {
        await customerOf(params.id);
        return { body: await read.timeline(params.id, toPageRequest(query)) };
      },
    }),
    operation({
      method: 'GET',
      path: '/customers/{id}/merges',
      scope: 'customers:read',
      tag,
      summary: 'List the merges and splits of a customer, and whom he was told apart from',
      params: IdParams,
      answer: pageOf(Merge),
      async handle({ params }) {
        await customerOf(params.id);
        return { body: { data: await read.merges(params.id), nextCursor: null } };
      },
    }),
    operation({
      method: 'GET',
      path: '/customers/{id}/traces',
      scope: 'customers:read',
      tag,
      summary: 'Show where each identifier of a customer was seen',
      description: 'Among his last 1,000 messages; the identifier that came last first.',
      params: IdParams,
      answer: z.object({ data: z.array(Trace) }),
      async handle({ params }) {
        await customerOf(params.id);
        return { body: { data: await read.traces(params.id) } };
      },
    }),
    operation({
      method: 'GET',
      path: '/customers/{id}/suggestions',
      scope: 'customers:read',
      tag,
      summary: 'List who could be the same person, and what says so',
      description:
        'Customers with an identifier or claim that this one has too, the surest first, at most 10; without those that somebody has told apart from him.',
      params: IdParams,
      answer: z.object({ data: z.array(Suggestion) }),
      async handle({ params }) {
        await customerOf(params.id);
        return { body: { data: await read.suggestions(params.id) } };
      },
    }),
    operation({
      method: 'POST',
      path: '/customers/{id}/merge/dry-run',
      effect: 'none',
      scope: 'customers:read',
      tag,
      summary: 'Show what a merge would move; nothing is changed',
      params: IdParams,
      body: z.strictObject({ from: Id }),
      answer: Moves,
      handle: async ({ params, body }) => ({ body: await toMoves(await desk.previewMerge(body.from, params.id)) }),
    }),
    operation({
      method: 'POST',
      path: '/customers/{id}/split/dry-run',
      effect: 'none',
      scope: 'customers:read',
      tag,
      summary: 'Show what a split would move; nothing is changed',
      params: IdParams,
      body: z.strictObject({ identifiers: z.array(IdentifierRef).min(1).max(100) }),
      answer: Moves,
      handle: async ({ params, body }) => ({
        body: await toMoves(await desk.previewSplit(params.id, body.identifiers)),
      }),
    }),
    operation({
      method: 'POST',
      path: '/merges/{id}/undo/dry-run',
      effect: 'none',
      scope: 'customers:read',
      tag,
      summary: 'Show what undoing a merge or split would move back; nothing is changed',
      params: IdParams,
      answer: Moves,
      handle: async ({ params }) => ({ body: await toMoves(await desk.previewUndo(params.id)) }),
    }),
    operation({
      method: 'POST',
      path: '/customers/{id}/merge',
      scope: 'customers:write',
      tag,
      summary: 'Merge another customer into this one',
      description: 'Can be undone by `mergeId`.',
      params: IdParams,
      body: z.strictObject({ from: Id, reason: Reason.optional() }),
      answer: z.object({ mergeId: Id, customer: Customer }),
      async handle({ params, body: { from, reason }, actor, once }) {
        const { mergeId } = await desk.mergeCustomers(from, params.id, actor.id, present({ reason, once }));
        return { body: { mergeId, customer: await customerOf(params.id) } };
      },
    }),
    operation({
      method: 'POST',
      path: '/customers/{id}/split',
      scope: 'customers:write',
      tag,
      summary: 'Give identifiers, and the messages that came by them, to a new customer',
      description: 'A ticket in which nobody else wrote goes along, with what was answered in it.',
      params: IdParams,
      body: z.strictObject({ identifiers: z.array(IdentifierRef).min(1).max(100), reason: Reason.optional() }),
      status: 201,
      answer: Customer,
      async handle({ params, body: { identifiers, reason }, actor, once }) {
        const { customerId } = await desk.splitCustomer(params.id, identifiers, actor.id, present({ reason, once }));
        return { body: await customerOf(customerId) };
      },
    }),
    operation({
      method: 'POST',
      path: '/customers/{id}/apart',
      scope: 'customers:write',
      tag,
      summary: 'Say that another customer is not the same person',
      description: 'They are not suggested for each other any more. Can be undone by `mergeId`.',
      params: IdParams,
      body: z.strictObject({ from: Id, reason: Reason.optional() }),
      answer: z.object({ mergeId: Id }),
      handle: async ({ params, body: { from, reason }, actor, once }) => ({
        body: await desk.tellApart(params.id, from, actor.id, present({ reason, once })),
      }),
    }),
    operation({
      method: 'POST',
      path: '/merges/{id}/undo',
      scope: 'customers:write',
      tag,
      summary: 'Undo a merge or split of customers, or that two were told apart',
      params: IdParams,
      status: 204,
      async handle({ params, actor, once }) {
        await desk.undoMerge(params.id, actor.id, once);
        return {};
      },
    }),
  ];
}

function readingsOf(text: string): { kind: string; value: string }[] {
  const parts = text.split(':');
  return [2, 1].flatMap((length) => {
    const read = IdentifierRef.safeParse({
      kind: parts.slice(0, length).join(':'),
      value: parts.slice(length).join(':'),
    });
    return read.success ? [read.data] : [];
  });
}
