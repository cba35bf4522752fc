import type { ActionInput } from '../../core/action.ts';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination, TicketUpdate } from '../../core/destination.ts';
import { PermanentError } from '../../core/errors.ts';
import { contactOf, toOurs, toTheirs } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { accountOf, createApi } from './api.ts';
import type { Api } from './api.ts';
import { Config, PRIORITIES, STATUS, TICKET } from './config.ts';
import { besides, createConversations, toConversation, toMessage, unknownAttribute } from './conversations.ts';
import { createPoll, download, toActions } from './way-back.ts';
import { createWebhook, toNotice } from './webhook.ts';

const POLL_PUSHED_MS = 60_000;
const POLL_ALONE_MS = 15_000;

/** Keeps tickets as conversations of an API inbox of Chatwoot, and brings back what agents do there. */
export const chatwoot = defineDestination({
  type: 'chatwoot',
  title: 'Chatwoot',
  summary: 'Keeps tickets in Chatwoot, and sends what its agents answer to the customers.',
  docs: 'destinations/chatwoot.md',
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
  const webhook = createWebhook(config, context.clock);
  return {
    ...createConversations(config, context, api),
    update: ({ externalId }, update) => change(config, api, externalId, update),
    preview: (delivery) => ({
      method: 'POST',
      url: `${accountOf(config)}/conversations`,
      body: shown(config, context, delivery),
    }),
    poll: createPoll(context, api),
    pollEveryMs: webhook ? POLL_PUSHED_MS : POLL_ALONE_MS,
    normalize: ({ method, body }): ActionInput[] =>
      method === 'POLL' ? toActions(config, parseJson(body)) : toNotice(config, body),
    ...(webhook && { webhook }),
    download: (attachment) => download(api, attachment),
    test: () => test(api, config),
  };
}

/** What differs there. The status is noted down before it is changed: so nobody takes it for an agent's. */
async function change(config: Config, api: Api, id: string, { status, priority }: TicketUpdate): Promise<void> {
  const there = await api.conversation(id);
  const attributes = there.custom_attributes ?? {};
  if (status !== undefined && status !== 'new') {
    if (attributes[STATUS] !== status) await api.setAttributes(id, { ...attributes, [STATUS]: status });
    const wanted = String(toTheirs(config.statuses, status));
    if (there.status !== wanted && toOurs(config.statuses, there.status) !== status) await api.setStatus(id, wanted);
  }
  // Without one it is as good as normal.
  const ranked = toOurs(PRIORITIES, there.priority ?? PRIORITIES.normal.toString());
  if (priority !== undefined && ranked !== priority) await api.setPriority(id, String(toTheirs(PRIORITIES, priority)));
}

function shown(config: Config, context: Context, delivery: Delivery): object {
  const { customer, ticket } = delivery;
  const email = config.contacts === 'by_email' ? contactOf(customer, 'email') : undefined;
  const attachments = delivery.message.attachments.filter(({ state }) => state === 'stored').map(({ name }) => name);
  return {
    ...toConversation(config, context, delivery),
    contact_id: `(${email ?? customer.id})`,
    ...besides(config, ticket),
    message: {
      ...toMessage(context, { ...delivery, ticket: { ...ticket, subject: '' } }, new Map()),
      ...(attachments.length > 0 && { attachments }),
    },
  };
}

async function test(api: Api, { apiRoot }: Config): Promise<string> {
  const { name, channel_type: type } = await api.inbox();
  if (type !== 'Channel::Api') {
    throw new PermanentError(`the inbox ${name} is of ${type}`, {
      hint: 'Settings → Inboxes → Add Inbox → API: only such a one takes messages from outside.',
    });
  }
  const found = await api.named('none').catch(unknownAttribute);
  if (found.length > 0) unknownAttribute();
  return `${new URL(apiRoot).host} knows the inbox ${name}, and the attribute ${TICKET}`;
}
