import { Readable } from 'node:stream';
import type { Context, Webhook } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination, Preview, TicketRef, TicketUpdate } from '../../core/destination.ts';
import { BadPayloadError, RetryableError } from '../../core/errors.ts';
import { toOurs, toTheirs } from '../../core/field-mapping.ts';
import { sendable } from '../../core/sendable.ts';
import { matchesBasic } from '../../core/signature.ts';
import { addressOf, createApi } from './api.ts';
import type { Api } from './api.ts';
import { Config } from './config.ts';
import { createPoll } from './poll.ts';
import { createTickets, requesterOf, stateOf, toTicket } from './tickets.ts';
import { actionsOf, readFile } from './way-back.ts';

const POLL_PUSHED_MS = 60_000;
const POLL_ALONE_MS = 15_000;

/** Keeps tickets in Znuny, OTOBO or OTRS 6 over their generic interface, and brings back what agents do there. */
export const otrs = defineDestination({
  type: 'otrs',
  title: 'Znuny, OTOBO, OTRS',
  summary: 'Keeps tickets in Znuny, OTOBO or OTRS 6; answers, notes and states come back.',
  docs: 'destinations/otrs.md',
  stability: 'beta',
  capabilities: { carries: 'tickets', idempotent: false, localhost: true, proven: ['vendor description', 'prose'] },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context);
  return {
    ...createTickets(config, context, api),
    update: (ref, update) => change(api, config, ref, update),
    preview: (delivery) => shown(config, context, delivery),
    poll: createPoll(context, api),
    pollEveryMs: config.webhook ? POLL_PUSHED_MS : POLL_ALONE_MS,
    normalize: ({ method, body }) => (method === 'POLL' ? actionsOf(config, body) : [{ kind: 'wake' }]),
    ...(config.webhook && { webhook: createWebhook(config.webhook) }),
    download: async ({ id }) => Readable.from([await readFile(api, id)]),
    test: () => test(api, config),
  };
}

/** An invoker signs nothing: what it says only wakes, and what happened is asked for. */
function createWebhook({ user, password }: NonNullable<Config['webhook']>): Webhook {
  return {
    verify({ headers }) {
      if (matchesBasic(headers['authorization'], user, password.reveal())) return;
      throw new BadPayloadError('the user or the password of the invoker is another one', {
        hint: 'Compare `webhook` with the authentication of the web service’s requester transport.',
      });
    },
    // An answer without JSON counts as a failure there.
    respond: () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: '{}' }),
  };
}

/** What differs there. A merged ticket stays merged. */
async function change(api: Api, config: Config, ref: TicketRef, { status, priority }: TicketUpdate): Promise<void> {
  const [there] = await api.tickets([ref.externalId]);
  if (!there || there.StateType === 'merged') return;
  const moves = status !== undefined && toOurs(config.statuses, there.State) !== status;
  const ranks = priority !== undefined && toOurs(config.priorities, there.Priority) !== priority;
  if (!moves && !ranks) return;
  const Ticket = {
    ...(moves && stateOf(config, status)),
    ...(ranks && { Priority: toTheirs(config.priorities, priority) }),
  };
  await api.update(ref.externalId, { Ticket });
}

function shown(config: Config, context: Context, delivery: Delivery): Preview {
  const taken = sendable(delivery.message, { max: config.maxAttachmentBytes, taker: 'The help desk' });
  const requester = requesterOf(config, delivery.customer);
  const body = toTicket(config, context, delivery, { requester, unsent: taken.unsent });
  const files = taken.sending.map(({ name, mediaType }) => ({ Filename: name, ContentType: mediaType }));
  return {
    method: 'POST',
    url: addressOf(config, 'TicketCreate'),
    body: { ...body, ...(files.length > 0 && { Attachment: files }) },
  };
}

/** A field that isn't there is left out of a search without a word. */
async function test(api: Api, { idField, user }: Config): Promise<string> {
  const found = await api.search({ Equals: 'tkt_of-a-test' }, { Limit: 1 });
  if (found.length === 0) return `the web service takes ${user}, and knows the dynamic field ${idField}`;
  throw new RetryableError(`there is no dynamic field ${idField}: a search for it finds all tickets`, {
    hint: `In the admin area, Dynamic Fields: add ${idField} to Ticket, of the type Text.`,
  });
}
