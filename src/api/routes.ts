import { z } from 'zod';
import { BadPayloadError, NotFoundError } from '../core/errors.ts';
import type { Gateway, Route, Routed } from '../core/gateway.ts';
import { RouteTime } from '../core/route-time.ts';
import { changeTypes, messageKinds, priorities } from '../core/ticket.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import { Id, IdParams, pageFrom, pageOf, PageQuery, present, toPageRequest } from './schemas.ts';

const tag = 'Routes';
const Words = z.array(z.string().min(1).max(200)).min(1).max(100);

const When = z.strictObject({
  channel: Words.optional(),
  channelType: Words.optional(),
  kind: z.array(z.enum(messageKinds)).min(1).optional(),
  language: Words.optional(),
  priority: z.array(z.enum(priorities)).min(1).optional(),
  tag: Words.optional(),
  customer: Words.optional().meta({ description: 'Ids' }),
  field: z
    .record(z.string().min(1).max(200), Words)
    .optional()
    .meta({ description: 'Of the message, a form’s for example, or of its ticket' }),
  time: RouteTime.optional(),
});

const RouteInput = z.strictObject({
  when: When.default({}).meta({ description: 'All conditions must hold; one holds when any of its values does' }),
  to: z.array(Id).min(1).max(50).meta({ description: 'Destinations' }),
  stop: z.boolean().default(false).meta({ description: 'Where it matches, those behind it don’t count' }),
});
/** All of them at once: with `id`, one that there is. */
const RoutesInput = z.strictObject({
  version: z.string().min(1).max(64).meta({ description: 'As `GET /routes` said it: otherwise 409' }),
  routes: z.array(RouteInput.extend({ id: Id.optional() })).max(1000),
});
const RoutePatch = z.strictObject({
  when: When.optional(),
  to: RouteInput.shape.to.optional(),
  stop: z.boolean().optional(),
});

const RouteView = z
  .object({
    id: z.string(),
    source: z.string().nullable(),
    when: When,
    to: z.array(z.string()),
    stop: z.boolean(),
  })
  .meta({ id: 'Route' });

const RoutesPage = pageOf(RouteView).extend({
  version: z.string().meta({ description: 'Of those that were made over the API, and of their order' }),
});

const RoutedView = z
  .object({
    type: z.enum(changeTypes),
    timestamp: z.iso.datetime(),
    ticketId: z.string().optional(),
    ticketNumber: z.number().int().optional(),
    messageId: z.string().optional(),
    channel: z.string().optional(),
    kind: z.enum(messageKinds).optional(),
    to: z.array(z.string()).meta({ description: 'Destinations' }),
    follows: z.array(z.string()).meta({ description: 'Help desks that get it too where they have its ticket already' }),
  })
  .meta({ id: 'RoutedMessage' });

function toView({ change, to, follows }: Routed): z.input<typeof RoutedView> {
  const { ticket, message } = change.data;
  const { type, timestamp } = change;
  return {
    type,
    timestamp,
    ...present({ ticketId: ticket?.id, ticketNumber: ticket?.number, messageId: message?.id }),
    ...present({ channel: message?.channel?.id ?? ticket?.channel.id, kind: message?.kind }),
    to: [...to],
    follows: [...follows],
  };
}

export function routeOperations({ routes, endpoints, store, clock }: Gateway): Operation[] {
  function routeOf(id: string): Route {
    const route = routes.all().find((candidate) => candidate.id === id);
    if (!route) throw new NotFoundError('There is no such route');
    return route;
  }

  function checkDestinations(to: readonly string[]): void {
    const problems = to.flatMap((id, index) =>
      endpoints.get(id)?.role === 'destination' ? [] : [{ pointer: `/to/${index}`, message: 'is no destination' }],
    );
    if (problems.length > 0) throw new BadPayloadError('The route has unknown destinations', { status: 422, problems });
  }

  async function audit(actor: string, action: string, target: string): Promise<void> {
    await store.write([`route:${target}`], (tx) =>
      tx.audit({ at: clock.now(), actor, action: `route.${action}`, target }),
    );
  }

  return [
    operation({
      method: 'GET',
      path: '/routes',
      scope: 'endpoints:read',
      tag,
      summary: 'List the routes: which destination is told what',
      query: PageQuery,
      answer: RoutesPage,
      handle: async ({ query }) => ({
        body: { ...pageFrom(routes.all(), toPageRequest(query)), version: routes.version() },
      }),
    }),
    operation({
      method: 'PATCH',
      path: '/routes',
      scope: 'endpoints:write',
      tag,
      summary: 'Replace the routes that were made over the API, all at once',
      description:
        'In the order that is given. Those with an `id` stay, as they are given; those without are new; those that are left out are removed.',
      body: RoutesInput,
      answer: RoutesPage,
      async handle({ body, actor }) {
        const wanted = body.routes.map((route) => present({ ...route, when: present(route.when) }));
        const { created, changed, removed } = await routes.replace(wanted, body.version);
        const done = { created, changed, removed };
        await store.write(['routes'], (tx) =>
          tx.audit({
            at: clock.now(),
            actor: actor.id,
            action: 'routes.replaced',
            target: 'routes',
            detail: JSON.stringify(done),
          }),
        );
        return { body: { ...pageFrom(routes.all(), { limit: 200 }), version: routes.version() } };
      },
    }),
    operation({
      method: 'POST',
      path: '/routes',
      scope: 'endpoints:write',
      tag,
      summary: 'Make a route',
      body: RouteInput,
      status: 201,
      answer: RouteView,
      async handle({ body, actor }) {
        checkDestinations(body.to);
        const route = await routes.create({ ...body, when: present(body.when) });
        await audit(actor.id, 'created', route.id);
        return { body: route };
      },
    }),
    operation({
      method: 'POST',
      path: '/routes/dry-run',
      effect: 'none',
      scope: 'endpoints:read',
      tag,
      summary: 'Show where the last messages would go',
      description: 'By the routes that are given, or else by those that there are. Nothing is sent.',
      body: z.strictObject({
        routes: z.array(RouteInput).max(1000).optional(),
        count: z.number().int().min(1).max(500).default(100),
      }),
      answer: z.object({ data: z.array(RoutedView) }),
      async handle({ body }) {
        const given = body.routes?.map((route) => ({ ...route, when: present(route.when) }));
        return { body: { data: (await routes.dryRun(given, body.count)).map(toView) } };
      },
    }),
    operation({
      method: 'GET',
      path: '/routes/{id}',
      scope: 'endpoints:read',
      tag,
      summary: 'Show a route',
      params: IdParams,
      answer: RouteView,
      handle: async ({ params }) => ({ body: routeOf(params.id) }),
    }),
    operation({
      method: 'PATCH',
      path: '/routes/{id}',
      scope: 'endpoints:write',
      tag,
      summary: 'Change a route that was made over the API',
      params: IdParams,
      body: RoutePatch,
      answer: RouteView,
      async handle({ params, body, actor }) {
        const { id, when, to, stop } = routeOf(params.id);
        if (body.to) checkDestinations(body.to);
        const route = await routes.update(id, {
          when: body.when ? present(body.when) : when,
          to: body.to ?? to,
          stop: body.stop ?? stop,
        });
        await audit(actor.id, 'changed', id);
        return { body: route };
      },
    }),
    operation({
      method: 'DELETE',
      path: '/routes/{id}',
      scope: 'endpoints:write',
      tag,
      summary: 'Remove a route that was made over the API',
      params: IdParams,
      status: 204,
      async handle({ params, actor }) {
        const { id } = routeOf(params.id);
        await routes.remove(id);
        await audit(actor.id, 'removed', id);
        return {};
      },
    }),
  ];
}
