import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination, Preview, TicketRef, TicketUpdate } from '../../core/destination.ts';
import { PermanentError, isRefused } from '../../core/errors.ts';
import { toTheirs } from '../../core/field-mapping.ts';
import { namedFiles } from '../../core/sendable.ts';
import { addressOf, createApi } from './api.ts';
import type { Api } from './api.ts';
import { Config } from './config.ts';
import { createPoll } from './poll.ts';
import { createTickets, customerOf, MERGED, stateOf, toTicket } from './tickets.ts';
import { actionsOf, createWebhook, toWake } from './way-back.ts';

const POLL_PUSHED_MS = 60_000;
const POLL_ALONE_MS = 15_000;

/** Keeps tickets in Zammad, and brings back what agents do there. */
export const zammad = defineDestination({
  type: 'zammad',
  title: 'Zammad',
  summary: 'Keeps tickets in Zammad; answers, notes and states of its agents come back.',
  docs: 'destinations/zammad.md',
  stability: 'beta',
  capabilities: { carries: 'tickets', idempotent: false, localhost: true, proven: ['prose'] },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context);
  return {
    ...createTickets(config, context, api),
    update: (ref, update) => change(api, config, { ref, update, now: context.clock.now() }),
    preview: (delivery) => shown(config, context, delivery),
    poll: createPoll(config, context, api),
    pollEveryMs: config.webhookSecret ? POLL_PUSHED_MS : POLL_ALONE_MS,
    normalize: (payload) => (payload.method === 'POLL' ? actionsOf(config, payload.body) : [toWake(config, payload)]),
    ...(config.webhookSecret && { webhook: createWebhook(config.webhookSecret) }),
    download: async ({ id }) => (await api.download(id)).body,
    test: () => test(api, config),
  };
}

/** What differs there. A merged ticket stays merged, and none becomes new again. */
async function change(
  api: Api,
  config: Config,
  { ref, update, now }: { readonly ref: TicketRef; readonly update: TicketUpdate; readonly now: number },
): Promise<void> {
  const { status, priority } = update;
  const there = await api.ticket(ref.externalId);
  if (there.state === MERGED) return;
  const moves = status !== undefined && status !== 'new' && !isCalled(config.statuses[status], there.state);
  const ranks = priority !== undefined && !isCalled(config.priorities[priority], there.priority);
  if (!moves && !ranks) return;
  await api.update(ref.externalId, {
    ...(moves && stateOf(config, status, now)),
    ...(ranks && { priority: toTheirs(config.priorities, priority) }),
  });
}

/** Zammad has fewer words: solved and closed are one there, high and urgent too. */
function isCalled(theirs: string | number | readonly (string | number)[], word: string): boolean {
  return [theirs].flat().some((one) => String(one).toLowerCase() === word.toLowerCase());
}

function shown(config: Config, context: Context, delivery: Delivery): Preview {
  const known = { files: namedFiles(delivery.message), customer: customerOf(delivery.customer) };
  return { method: 'POST', url: addressOf(config, '/tickets'), body: toTicket(config, context, delivery, known) };
}

async function test(api: Api, { idField }: Config): Promise<string> {
  const { login } = await api.me();
  try {
    await api.search({ [`ticket.${idField}`]: { operator: 'is', value: 'tkt_of-a-test' } }, 1);
  } catch (error) {
    if (!isRefused(error, 422)) throw error;
    throw new PermanentError(`Zammad takes the token of ${login}, and tickets have no such attribute: ${idField}`, {
      hint: 'In Zammad, Objects, Ticket: add it as a text, and update the database.',
      cause: error,
    });
  }
  return `Zammad takes the token of ${login}, and searches tickets by ${idField}`;
}
