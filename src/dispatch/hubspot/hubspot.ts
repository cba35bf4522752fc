import type { ActionInput } from '../../core/action.ts';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Destination, TicketUpdate } from '../../core/destination.ts';
import { PermanentError, isRefused } from '../../core/errors.ts';
import { toOurs, toTheirs } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { createApi } from './api.ts';
import type { Api, Thing } from './api.ts';
import { Config } from './config.ts';
import { actionsOf, hasMark, History } from './history.ts';
import { createPoll } from './poll.ts';
import { createTickets, shownAssociations, toTicket } from './tickets.ts';
import { createWebhook, toWake } from './webhook.ts';

const LARGEST_FILE = 100 * 1024 * 1024;
const POLL_PUSHED_MS = 60_000;
const POLL_ALONE_MS = 15_000;

/** Keeps tickets in HubSpot, and brings back what people do there. */
export const hubspot = defineDestination({
  type: 'hubspot',
  title: 'HubSpot',
  summary: 'Keeps tickets and their customers in HubSpot; answers, notes and stages come back.',
  docs: 'destinations/hubspot.md',
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
  const app = once(() => api.app());
  const tickets = createTickets(config, context, api, async () => (await app()).hubId);
  return {
    ...tickets,
    async update({ externalId }, update) {
      const there = await api.read('tickets', externalId, ['hs_pipeline_stage', 'hs_ticket_priority']);
      const change = changeOf(config, there, update);
      if (Object.keys(change).length > 0) await api.update(externalId, change);
    },
    hasMessage: async ({ externalId }, message) => hasMark(api, externalId, message),
    preview: (delivery) => ({
      method: 'POST',
      url: `${config.apiRoot}/crm/v3/objects/tickets`,
      body: {
        properties: toTicket(config, context.publicUrl, delivery, new Map()),
        associations: shownAssociations(delivery),
      },
    }),
    poll: createPoll(config, context, api, async () => (await app()).appId),
    pollEveryMs: config.clientSecret ? POLL_PUSHED_MS : POLL_ALONE_MS,
    normalize({ method, body }): ActionInput[] {
      return method === 'POLL' ? actionsOf(config, History.parse(parseJson(body))) : [toWake(body)];
    },
    ...(config.clientSecret && {
      webhook: createWebhook(config.clientSecret, { url: context.webhookUrl, clock: context.clock }),
    }),
    download: ({ id }) => api.download(id, LARGEST_FILE),
    test: () => test(api, config),
  };
}

/** Asks again only where the last time failed. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask().catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
}

/** What differs there. Several of ours may be one stage: that isn't written again. */
function changeOf(config: Config, { properties }: Thing, { status, priority }: TicketUpdate): Record<string, string> {
  const { hs_pipeline_stage: stage, hs_ticket_priority: there } = properties;
  const moves = status !== undefined && toOurs(config.statuses, stage ?? '') !== status;
  const written = moves ? String(toTheirs(config.statuses, status)) : stage;
  const isOther = priority !== undefined && toOurs(config.priorities, there ?? '') !== priority;
  return {
    ...(written != null && written !== stage && { hs_pipeline_stage: written }),
    ...(isOther && { hs_ticket_priority: String(toTheirs(config.priorities, priority)) }),
  };
}

async function test(api: Api, { idProperty, pipeline, statuses }: Config): Promise<string> {
  const { hubId } = await api.app();
  for (const kind of ['tickets', 'contacts'] as const) await checkProperty(api, kind, idProperty);
  const { label, stages } = await api.pipeline(pipeline);
  const missing = Object.values(statuses)
    .flat()
    .filter((stage) => !stages.some(({ id }) => id === String(stage)));
  if (missing.length === 0) return `account ${hubId} takes tickets in the pipeline ${label}`;
  throw new PermanentError(`the pipeline ${label} has no stage ${missing.join(', ')}`, {
    hint: `Its stages are ${stages.map(({ id }) => id).join(', ')}: name them in \`statuses\`.`,
  });
}

/** Without it nothing can be found again, and where its values may repeat, a ticket could be made twice. */
async function checkProperty(api: Api, kind: 'tickets' | 'contacts', name: string): Promise<void> {
  const hint = `In HubSpot: Settings → Properties → ${kind}: make a single-line text with the internal name ${name} and unique values.`;
  const { hasUniqueValue } = await api.property(kind, name).catch((error: unknown) => {
    if (!isRefused(error, 404)) throw error;
    throw new PermanentError(`${kind} have no property ${name} in HubSpot`, { cause: error, hint });
  });
  if (!hasUniqueValue) throw new PermanentError(`the property ${name} of ${kind} may have a value twice`, { hint });
}
