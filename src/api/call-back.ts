import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ConflictError, NotFoundError, PermanentError, UncertainError } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import type { Customer } from '../core/ticket.ts';
import { operation, type Operation } from './operation.ts';
import { ApiError } from './problem.ts';
import { Id, IdParams } from './schemas.ts';

/** How long a vendor may take to begin a call, milliseconds. */
const DEADLINE_MS = 30_000;

const CallBackRequest = z.strictObject({
  channel: Id.meta({ description: 'The channel that makes the call: its type can `callBack`' }),
  agent: z.string().min(1).max(200).meta({ description: 'Where the agent picks up, as the vendor names it: 101' }),
  phone: z
    .string()
    .min(1)
    .max(40)
    .optional()
    .meta({ description: 'One of his numbers, E.164; his only one by default' }),
});

/** Asks the vendor of a channel to connect an agent with a customer. */
export function callBackOperation({ store, endpoints, clock }: Gateway): Operation {
  return operation({
    method: 'POST',
    path: '/customers/{id}/call',
    scope: 'tickets:write',
    tag: 'Customers',
    summary: 'Have a customer called: it rings at the agent’s first, then at his',
    description:
      'Answers once the vendor has taken it on. 502 `uncertain`: it may ring; look before you ask again. Send an Idempotency-Key.',
    params: IdParams,
    body: CallBackRequest,
    answer: z.object({ channel: Id, phone: z.string(), externalId: z.string().nullable() }),
    async handle({ params, body, actor, once, signal }) {
      const customer = await store.read.customer(params.id);
      if (!customer) throw new NotFoundError('There is no such customer');
      const endpoint = endpoints.get(body.channel);
      if (endpoint?.role !== 'channel') throw new NotFoundError(`There is no channel ${body.channel}`);
      const { channel } = endpoint;
      if (!channel) throw new ConflictError(`${endpoint.id} is closed: ${endpoint.problem ?? 'disabled'}`);
      if (!channel.callBack) throw new PermanentError(`Channels of the type ${endpoint.type} can't call`);
      const to = numberOf(customer, body.phone);
      const at = clock.now();
      const detail = `${endpoint.id} ${to} ${body.agent}`;
      await store.write([`customer ${customer.id}`], (tx) =>
        tx.audit({ at, actor: actor.id, action: 'customer.call', target: customer.id, detail }),
      );
      const id = once ? createHash('sha256').update(once.key).digest('hex').slice(0, 32) : randomUUID();
      const ends = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]);
      const { externalId = null } = await channel.callBack({ id, to, agent: body.agent }, ends).catch(uncertain);
      return { body: { channel: endpoint.id, phone: to, externalId } };
    },
  });
}

/** A number of his that a platform carried: what somebody only typed may be anybody's. */
function numberOf({ identifiers }: Customer, wanted: string | undefined): string {
  const phones = identifiers.filter(({ kind, trust }) => kind === 'phone' && trust !== 'claimed');
  const numbers = phones.map(({ value }) => value);
  const [only, ...others] = wanted === undefined ? numbers : numbers.filter((number) => number === wanted);
  if (only !== undefined && others.length === 0) return only;
  throw new PermanentError(only === undefined ? 'He has no such number' : 'He has several numbers', {
    hint: `Name one as \`phone\`: ${numbers.join(', ') || 'none is known'}.`,
  });
}

/** Nobody is told to come again: it may be ringing. */
function uncertain(error: unknown): never {
  if (error instanceof UncertainError) throw new ApiError(502, 'uncertain', error.message);
  throw error;
}
