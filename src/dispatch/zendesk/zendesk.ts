import type { ActionInput } from '../../core/action.ts';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination, TicketUpdate } from '../../core/destination.ts';
import { AuthExpiredError } from '../../core/errors.ts';
import { contactOf, toOurs, toTheirs } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { createApi, rootOf } from './api.ts';
import type { Api, Ticket } from './api.ts';
import { actionsOf, hasMark, History } from './audits.ts';
import { Config } from './config.ts';
import { createPoll } from './poll.ts';
import { createTickets, toTicket } from './tickets.ts';
import { createWebhook, toWake } from './webhook.ts';

const LARGEST_FILE = 100 * 1024 * 1024;
const POLL_PUSHED_MS = 60_000;
const POLL_ALONE_MS = 15_000;

/** Keeps tickets in Zendesk Support, and brings back what agents do there. */
export const zendesk = defineDestination({
  type: 'zendesk',
  title: 'Zendesk',
  summary: 'Keeps tickets in Zendesk, and sends what its agents answer to the customers.',
  docs: 'destinations/zendesk.md',
  stability: 'beta',
  capabilities: {
    carries: 'tickets',
    idempotent: false,
    localhost: true,
    proven: ['vendor description', 'independent mock'],
  },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context);
  const tickets = createTickets(config, context, api);
  return {
    ...tickets,
    async update({ externalId }, update) {
      const change = changeOf(config, await api.ticket(externalId), update);
      if (change) await api.update(externalId, { ...change, metadata: { tributary: update.id } });
    },
    hasMessage: async ({ externalId }, message) => hasMark(api, externalId, message),
    preview: (delivery) => ({
      method: 'POST',
      url: `${rootOf(config)}/api/v2/tickets`,
      body: shown(config, context, delivery),
    }),
    poll: createPoll(context, api),
    pollEveryMs: config.webhookSecret ? POLL_PUSHED_MS : POLL_ALONE_MS,
    normalize({ method, body }): ActionInput[] {
      if (method !== 'POLL') return [toWake(body)];
      const history = History.parse(parseJson(body));
      return history.audits.flatMap((audit) => actionsOf(config, audit, history));
    },
    ...(config.webhookSecret && { webhook: createWebhook(config.webhookSecret, context.clock) }),
    download: ({ id }) => api.download(id, LARGEST_FILE),
    test: () => test(api, config),
  };
}

/** What differs there; nothing for a closed ticket, which can't be changed any more. */
function changeOf(config: Config, there: Ticket, { status, priority }: TicketUpdate): object | undefined {
  if (there.status === 'closed') return undefined;
  // No ticket becomes new again, and one that is on hold there is pending here.
  const moves = status !== undefined && status !== 'new' && toOurs(config.statuses, there.status) !== status;
  const written = moves ? toTheirs(config.statuses, status) : there.status;
  const change = {
    ...(written !== there.status && { status: written }),
    ...(priority !== undefined &&
      there.priority !== undefined &&
      toOurs(config.priorities, there.priority ?? '') !== priority && {
        priority: toTheirs(config.priorities, priority),
      }),
  };
  return Object.keys(change).length > 0 ? change : undefined;
}

function shown(config: Config, context: Context, delivery: Delivery): object {
  const ticket = toTicket(config, context, delivery, new Map());
  const { customer, message } = delivery;
  const email = contactOf(customer, 'email');
  const uploads = message.attachments.filter(({ state }) => state === 'stored').map(({ name }) => `(${name})`);
  return { ticket: { ...ticket, requester_id: `(${email ?? customer.id})`, comment: { ...ticket.comment, uploads } } };
}

async function test(api: Api, { subdomain }: Config): Promise<string> {
  const { id, name } = await api.me();
  // Whoever isn't signed in is told that he is nobody, with 200.
  if (id == null) throw new AuthExpiredError('Zendesk does not know these credentials', { hint: 'Enter new ones.' });
  return `${subdomain}.zendesk.com knows the token as ${name ?? id}`;
}
