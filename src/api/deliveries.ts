import { z } from 'zod';
import { NotFoundError } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import { Attempt, DeliveryView, taskStates } from '../core/ticket.ts';
import { operation } from './operation.ts';
import type { Answer, Operation } from './operation.ts';
import { Id, IdParams, pageOf, pageQuery, present, Time, toPageRequest } from './schemas.ts';

const tag = 'Deliveries';
const DeliveryLog = DeliveryView.extend({ log: z.array(Attempt) }).meta({ id: 'DeliveryLog' });

export function deliveryOperations({ store, outbox }: Gateway): Operation[] {
  const { read } = store;

  async function answerDelivery(id: string): Promise<Answer> {
    const delivery = await read.delivery(id);
    if (!delivery) throw new NotFoundError('There is no such delivery');
    return { body: delivery };
  }

  return [
    operation({
      method: 'GET',
      path: '/deliveries',
      scope: 'deliveries:read',
      tag,
      summary: 'List what is on its way to destinations',
      query: z.strictObject({
        destination: Id.optional(),
        state: z.enum(taskStates).optional(),
        ticket: Id.optional(),
        message: Id.optional(),
        since: Time.optional(),
        ...pageQuery,
      }),
      answer: pageOf(DeliveryView),
      async handle({ query: { limit, cursor, ...filter } }) {
        return { body: await read.deliveries(present(filter), toPageRequest({ limit, cursor })) };
      },
    }),
    operation({
      method: 'POST',
      path: '/deliveries/replay',
      scope: 'deliveries:write',
      tag,
      summary: 'Send all deliveries of one destination and state again',
      description:
        'The oldest first, under the ids that they had, and behind whatever is new: a few at a time, while little else is due ' +
        'at the destination. Those that wait for their turn have `replayAt`. With `dryRun`, they are only counted.',
      body: z.strictObject({
        destination: Id,
        state: z.enum(['dead', 'needs_check', 'delivered']),
        since: Time.optional(),
        dryRun: z.boolean().default(false),
      }),
      answer: z.object({ count: z.number().int(), dryRun: z.boolean() }),
      async handle({ body: { dryRun, ...filter }, actor }) {
        const count = await (dryRun ? outbox.countReplays(filter) : outbox.replayAll(filter, actor.id));
        return { body: { count, dryRun } };
      },
    }),
    operation({
      method: 'POST',
      path: '/deliveries/replay/cancel',
      scope: 'deliveries:write',
      tag,
      summary: 'Take back what is to be sent again to a destination and has not begun',
      body: z.strictObject({ destination: Id }),
      answer: z.object({ count: z.number().int() }),
      handle: async ({ body, actor }) => ({ body: { count: await outbox.cancelReplays(body.destination, actor.id) } }),
    }),
    operation({
      method: 'GET',
      path: '/deliveries/{id}',
      scope: 'deliveries:read',
      tag,
      summary: 'Show a delivery with every attempt',
      params: IdParams,
      answer: DeliveryLog,
      handle: ({ params }) => answerDelivery(params.id),
    }),
    operation({
      method: 'POST',
      path: '/deliveries/{id}/replay',
      scope: 'deliveries:write',
      tag,
      summary: 'Send a delivery again',
      params: IdParams,
      answer: DeliveryLog,
      async handle({ params, actor }) {
        if (!(await outbox.replay(params.id, actor.id))) throw new NotFoundError('There is no such delivery');
        return answerDelivery(params.id);
      },
    }),
  ];
}
