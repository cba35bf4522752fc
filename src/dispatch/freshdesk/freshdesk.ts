import type { ActionInput } from '../../core/action.ts';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination, TicketUpdate } from '../../core/destination.ts';
import { PermanentError } from '../../core/errors.ts';
import { contactOf, toOurs, toTheirs } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { createApi, rootOf } from './api.ts';
import type { Api, Ticket } from './api.ts';
import { Config } from './config.ts';
import { createTickets, toTicket } from './tickets.ts';
import { createPoll, download, toActions } from './way-back.ts';

const POLL_PUSHED_MS = 60_000;
const POLL_ALONE_MS = 15_000;

/** Keeps tickets in Freshdesk, and brings back what agents do there. */
export const freshdesk = defineDestination({
  type: 'freshdesk',
  title: 'Freshdesk',
  summary: 'Keeps tickets in Freshdesk, and sends what its agents answer to the customers.',
  docs: 'destinations/freshdesk.md',
  stability: 'beta',
  capabilities: {
    carries: 'tickets',
    idempotent: false,
    localhost: true,
    proven: ['third-party description', 'prose'],
  },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context);
  return {
    ...createTickets(config, context, api),
    async update({ externalId }, update) {
      const change = changeOf(config, await api.ticket(externalId), update);
      if (Object.keys(change).length > 0) await api.update(externalId, change);
    },
    preview: (delivery) => ({
      method: 'POST',
      url: `${rootOf(config)}/api/v2/tickets`,
      body: shown(config, context, delivery),
    }),
    poll: createPoll(config, context, api),
    pollEveryMs: config.webhookToken ? POLL_PUSHED_MS : POLL_ALONE_MS,
    // What is pushed is made up by a rule of the operator's, and not signed: it only says that there is something.
    normalize: ({ method, body }): ActionInput[] =>
      method === 'POLL' ? toActions(config, parseJson(body)) : [{ kind: 'wake' }],
    ...(config.webhookToken && { webhook: { token: config.webhookToken, verify: () => undefined } }),
    download: (attachment) => download(api, attachment),
    test: () => test(api, config),
  };
}

/** What differs there. No ticket becomes new again. */
function changeOf(config: Config, there: Ticket, { status, priority }: TicketUpdate): object {
  const moves = status !== undefined && status !== 'new' && toOurs(config.statuses, there.status) !== status;
  const ranks = priority !== undefined && toOurs(config.priorities, there.priority ?? '') !== priority;
  return {
    ...(moves && { status: Number(toTheirs(config.statuses, status)) }),
    ...(ranks && { priority: Number(toTheirs(config.priorities, priority)) }),
  };
}

function shown(config: Config, context: Context, delivery: Delivery): object {
  const { customer, message } = delivery;
  const email = config.requesters === 'by_email' ? contactOf(customer, 'email') : undefined;
  const attachments = message.attachments.filter(({ state }) => state === 'stored').map(({ name }) => `(${name})`);
  return {
    ...toTicket(config, context, delivery, new Map()),
    requester_id: `(${email ?? customer.id})`,
    ...(attachments.length > 0 && { attachments }),
  };
}

async function test(api: Api, { subdomain, idField }: Config): Promise<string> {
  const { id, contact } = await api.me();
  try {
    await api.search(idField, 'none');
  } catch (error) {
    if (!(error instanceof PermanentError) || error.response?.status !== 400) throw error;
    throw new PermanentError(`Freshdesk knows no field ${idField} of tickets`, {
      cause: error,
      response: error.response,
      hint: 'Admin → Ticket Fields: add a single-line text “Tributary id”.',
    });
  }
  return `${subdomain}.freshdesk.com knows the key as ${contact?.name ?? id}, and has the field ${idField}`;
}
