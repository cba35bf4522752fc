import type { ActionInput } from '../../core/action.ts';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination, TicketUpdate } from '../../core/destination.ts';
import { PermanentError } from '../../core/errors.ts';
import { toOurs, toTheirs } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { namedFiles } from '../../core/sendable.ts';
import { createApi } from './api.ts';
import type { Api, Ticket } from './api.ts';
import { Config } from './config.ts';
import { createTickets, toTicket } from './tickets.ts';
import { createPoll, download, toActions } from './way-back.ts';
import { createWebhook, toWake } from './webhook.ts';

const POLL_PUSHED_MS = 60_000;
const POLL_ALONE_MS = 15_000;
/** Deleted, spam, newsletter, merged: whoever made a ticket that meant it. */
const AWAY = ['4', '7', '9', '10'];

/** Keeps tickets in Usedesk, and brings back what agents do there. */
export const usedesk = defineDestination({
  type: 'usedesk',
  title: 'Usedesk',
  summary: 'Keeps tickets in Usedesk, and sends what its agents answer to the customers.',
  docs: 'destinations/usedesk.md',
  stability: 'beta',
  capabilities: { carries: 'tickets', idempotent: false, localhost: true, proven: ['prose'] },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context);
  return {
    ...createTickets(config, context, api),
    async update({ externalId }, update) {
      const change = changeOf(config, (await api.ticket(externalId)).ticket, update);
      if (Object.keys(change).length === 0) return;
      // Otherwise whatever is done to a new ticket opens it.
      const silent = 'status' in change ? {} : { silent: true };
      await api.update({ ticket_id: Number(externalId), user_id: config.user, ...change, ...silent });
    },
    preview: (delivery) => ({
      method: 'POST',
      url: `${config.apiRoot}/create/ticket`,
      body: shown(config, context, delivery),
    }),
    poll: createPoll(context, api),
    pollEveryMs: config.webhookSecret ? POLL_PUSHED_MS : POLL_ALONE_MS,
    normalize: ({ method, body }): ActionInput[] =>
      method === 'POLL' ? toActions(config, parseJson(body)) : [toWake(body)],
    ...(config.webhookSecret && { webhook: createWebhook(config.webhookSecret) }),
    download: (attachment) => download(api, attachment),
    test: () => test(api, config),
  };
}

/** What differs there. No ticket becomes new again. */
function changeOf(config: Config, there: Ticket, { status, priority }: TicketUpdate): object {
  const now = toOurs(config.statuses, there.status_id);
  const moves = status !== undefined && status !== 'new' && now !== status && !AWAY.includes(there.status_id);
  // One that isn't said may be anything.
  const rank = there.priority && toOurs(config.priorities, there.priority);
  const ranks = priority !== undefined && there.priority != null && rank !== priority;
  return {
    ...(moves && { status: Number(toTheirs(config.statuses, status)) }),
    ...(ranks && { priority: toTheirs(config.priorities, priority) }),
  };
}

function shown(config: Config, context: Context, delivery: Delivery): object {
  const { sent } = namedFiles(delivery.message);
  return {
    ...toTicket(config, context, delivery, new Map()),
    client_id: `(${delivery.customer.id}@${config.addressDomain})`,
    ...(sent.length > 0 && { files: sent.map(({ name }) => `(${name})`) }),
  };
}

async function test(api: Api, { user }: Config): Promise<string> {
  const agent = await api.agent(String(user));
  if (agent) return `Usedesk knows the token, and agent ${user} as ${agent.name ?? 'somebody without a name'}`;
  throw new PermanentError(`Usedesk knows no agent ${user}`, {
    hint: 'Compare `user` with the number in the address of his page under Settings → Agents.',
  });
}
