import { z } from 'zod';
import { AutoReply } from '../core/auto-reply.ts';
import { Item } from '../core/envelope.ts';
import { NotFoundError, PermanentError, textOf, TributaryError } from '../core/errors.ts';
import type { Endpoint, Gateway } from '../core/gateway.ts';
import { EndpointView, opened, Settings, toView } from './endpoint-view.ts';
import { Health, readHealth } from './health.ts';
import { operation } from './operation.ts';
import type { Call, Operation } from './operation.ts';
import { IdParams, pageFrom, pageOf, PageQuery, present, TimeText, toPageRequest } from './schemas.ts';

const tag = 'Endpoints';
type Role = Endpoint['role'];

const EndpointInput = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'is lower-case letters, digits, - and _, at most 63'),
  type: z.string().min(1).max(100),
  name: z.string().min(1).max(200).optional(),
  enabled: z.boolean().optional(),
  settings: Settings.default({}),
});

const EndpointPatch = z.strictObject({
  name: z.string().min(1).max(200).optional(),
  enabled: z.boolean().optional(),
  settings: Settings.optional(),
});

const autoReply = AutoReply.nullable().optional().meta({
  description:
    'What a customer hears by itself when he opens a ticket: a text, or one per language. Null: nothing. `{{number}}`, `{{name}}` and `{{statusUrl}}` are filled in',
});

const inputs = {
  channel: { create: EndpointInput.extend({ autoReply }), change: EndpointPatch.extend({ autoReply }) },
  destination: { create: EndpointInput, change: EndpointPatch },
};

const RefusalView = z
  .object({
    at: TimeText,
    status: z.number().int(),
    reason: z.string(),
    method: z.string(),
    remoteAddress: z.string().nullable(),
    headers: z.array(z.string()),
    size: z.number().int(),
  })
  .meta({ id: 'Refusal' });

const TestResult = z.object({
  ok: z.boolean(),
  text: z.string().meta({ description: 'In the words of the other side' }),
  error: z.string().nullable().meta({ description: 'Kind of the failure' }),
  hint: z.string().nullable(),
});

const RawPayload = z.strictObject({
  method: z.string().max(20).default('POST'),
  url: z.string().max(4000).optional(),
  headers: z.record(z.string().max(200), z.string().max(8000)).default({}),
  body: z.string().max(1_000_000).optional(),
  bodyBase64: z.base64().optional(),
});

/** The same operations for channels and for destinations. */
export function endpointOperations(gateway: Gateway, role: Role): Operation[] {
  const { endpoints, outbox, refusals } = gateway;
  const path = `/${role}s`;
  const one = `${path}/{id}`;

  function endpointOf(id: string): Endpoint {
    const endpoint = endpoints.get(id);
    if (endpoint?.role !== role) throw new NotFoundError(`There is no such ${role}`);
    return endpoint;
  }

  async function viewOf(endpoint: Endpoint) {
    return toView(endpoint, await readHealth(gateway), gateway.publicUrl);
  }

  async function audit({ actor }: Call, action: string, target: string): Promise<void> {
    await gateway.store.write([`endpoint:${target}`], (tx) =>
      tx.audit({ at: gateway.clock.now(), actor: actor.id, action: `${role}.${action}`, target }),
    );
  }

  return [
    operation({
      method: 'GET',
      path,
      scope: 'endpoints:read',
      tag,
      summary: `List the ${role}s and how they are`,
      query: PageQuery,
      answer: pageOf(EndpointView),
      async handle({ query }) {
        const health = await readHealth(gateway);
        const page = pageFrom(endpoints.all(role), toPageRequest(query));
        return { body: { ...page, data: page.data.map((entry) => toView(entry, health, gateway.publicUrl)) } };
      },
    }),
    operation({
      method: 'POST',
      path,
      scope: 'endpoints:write',
      tag,
      summary: `Set up a ${role}`,
      body: inputs[role].create,
      status: 201,
      answer: EndpointView,
      async handle(call) {
        const endpoint = await endpoints.create(role, present(call.body));
        await audit(call, 'created', endpoint.id);
        return { body: await viewOf(endpoint) };
      },
    }),
    operation({
      method: 'GET',
      path: one,
      scope: 'endpoints:read',
      tag,
      summary: `Show a ${role}`,
      params: IdParams,
      answer: EndpointView,
      handle: async ({ params }) => ({ body: await viewOf(endpointOf(params.id)) }),
    }),
    operation({
      method: 'PATCH',
      path: one,
      scope: 'endpoints:write',
      tag,
      summary: `Change a ${role} that was made over the API`,
      params: IdParams,
      body: inputs[role].change,
      answer: EndpointView,
      async handle(call) {
        const { id } = endpointOf(call.params.id);
        const endpoint = await endpoints.update(id, present(call.body));
        await audit(call, 'changed', id);
        return { body: await viewOf(endpoint) };
      },
    }),
    operation({
      method: 'DELETE',
      path: one,
      scope: 'endpoints:write',
      tag,
      summary: `Remove a ${role} that was made over the API`,
      params: IdParams,
      status: 204,
      async handle(call) {
        const { id } = endpointOf(call.params.id);
        await endpoints.remove(id);
        await audit(call, 'removed', id);
        return {};
      },
    }),
    operation({
      method: 'GET',
      path: `${one}/health`,
      scope: 'endpoints:read',
      tag,
      summary: `Show how a ${role} is, with the evidence`,
      params: IdParams,
      answer: Health,
      handle: async ({ params }) => ({ body: (await readHealth(gateway))(endpointOf(params.id)) }),
    }),
    operation({
      method: 'GET',
      path: `${one}/refused`,
      scope: 'endpoints:read',
      tag,
      summary: 'List the latest requests that were refused, without their contents',
      params: IdParams,
      answer: pageOf(RefusalView),
      async handle({ params }) {
        return { body: { data: refusals.of(endpointOf(params.id).id), nextCursor: null } };
      },
    }),
    operation({
      method: 'POST',
      path: `${one}/test`,
      scope: 'endpoints:write',
      tag,
      summary: 'Try the credentials',
      params: IdParams,
      answer: TestResult,
      handle: async ({ params }) => ({ body: await tryOut(endpointOf(params.id)) }),
    }),
    operation({
      method: 'POST',
      path: `${one}/resume`,
      scope: 'endpoints:write',
      tag,
      summary: 'End a pause: it is repaired',
      params: IdParams,
      answer: EndpointView,
      async handle(call) {
        const endpoint = endpointOf(call.params.id);
        await outbox.resume(endpoint.id);
        await audit(call, 'resumed', endpoint.id);
        return { body: await viewOf(endpoint) };
      },
    }),
  ];
}

/** The same for a destination, with a ticket that is here. Shows what customers wrote, so it needs the right to read that. */
export function previewOperation({ outbox }: Gateway): Operation {
  return operation({
    method: 'POST',
    path: '/destinations/{id}/dry-run',
    effect: 'none',
    scope: 'tickets:read',
    tag,
    summary: 'Show the request that would make a ticket in a destination; nothing is sent',
    params: IdParams,
    body: z.strictObject({
      ticketId: z.string().max(200),
      messageId: z.string().max(200).optional().meta({ description: 'The first one of the ticket when left out' }),
    }),
    answer: z.object({ method: z.string(), url: z.string(), body: z.unknown() }),
    handle: async ({ params, body }) => ({ body: await outbox.preview(params.id, present(body)) }),
  });
}

export function dryRunOperation({ endpoints, intake, clock }: Gateway): Operation {
  return operation({
    method: 'POST',
    path: '/channels/{id}/dry-run',
    effect: 'none',
    scope: 'endpoints:write',
    tag,
    summary: 'Show what a channel makes of a payload; nothing is stored',
    params: IdParams,
    body: RawPayload,
    answer: z.object({ items: z.array(Item) }),
    async handle({ params, body }) {
      if (endpoints.get(params.id)?.role !== 'channel') throw new NotFoundError('There is no such channel');
      const payload = {
        endpointId: params.id,
        receivedAt: clock.now(),
        method: body.method,
        url: body.url ?? `/webhooks/${params.id}`,
        headers: lowerCased(body.headers),
        body: body.bodyBase64 === undefined ? Buffer.from(body.body ?? '') : Buffer.from(body.bodyBase64, 'base64'),
      };
      return { body: { items: await intake.dryRun(params.id, payload) } };
    },
  });
}

/** Names as the web server gives them to connectors. */
function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** What came of the try is the answer, not an error of this call. */
async function tryOut(endpoint: Endpoint): Promise<z.output<typeof TestResult>> {
  if (endpoint.problem !== null) return { ok: false, text: endpoint.problem, error: 'setting_up', hint: null };
  const it = opened(endpoint);
  if (!it?.test) throw new PermanentError(`The type ${endpoint.type} has nothing that could be tried`);
  try {
    return { ok: true, text: await it.test(), error: null, hint: null };
  } catch (error) {
    const known = error instanceof TributaryError ? error : undefined;
    return { ok: false, text: textOf(error), error: known?.name ?? 'Error', hint: known?.hint ?? null };
  }
}
