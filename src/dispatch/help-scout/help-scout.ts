import type { ActionInput } from '../../core/action.ts';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination } from '../../core/destination.ts';
import { toOurs, toTheirs } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { namedFiles } from '../../core/sendable.ts';
import { createApi } from './api.ts';
import type { Api } from './api.ts';
import { Config } from './config.ts';
import { createConversations, toConversation } from './conversations.ts';
import { createPoll, createWebhook, toActions } from './way-back.ts';

const POLL_PUSHED_MS = 60_000;
const POLL_ALONE_MS = 15_000;

/** Keeps tickets as conversations of Help Scout, and brings back what agents do there. */
export const helpScout = defineDestination({
  type: 'help_scout',
  title: 'Help Scout',
  summary: 'Keeps tickets in Help Scout, and sends what its agents answer to the customers.',
  docs: 'destinations/help-scout.md',
  stability: 'beta',
  capabilities: { carries: 'tickets', idempotent: false, localhost: true, proven: ['prose'] },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context);
  return {
    ...createConversations(config, context, api),
    async update({ externalId }, { status }) {
      if (status === undefined || status === 'new') return;
      const { status: there } = await api.conversation(externalId);
      const wanted = String(toTheirs(config.statuses, status));
      // One that is called the same there stays as it is.
      if (there !== wanted && toOurs(config.statuses, there) !== status) await api.setStatus(externalId, wanted);
    },
    preview: (delivery) => ({
      method: 'POST',
      url: `${config.apiRoot}/v2/conversations`,
      body: shown(config, context, delivery),
    }),
    poll: createPoll(config, context, api),
    pollEveryMs: config.webhookSecret ? POLL_PUSHED_MS : POLL_ALONE_MS,
    // What is pushed says nothing of what changed in the conversation, so it only wakes.
    normalize: ({ method, body }): ActionInput[] =>
      method === 'POLL' ? toActions(config, parseJson(body)) : [{ kind: 'wake' }],
    ...(config.webhookSecret && { webhook: createWebhook(config.webhookSecret) }),
    download: ({ id }) => api.file(...fileOf(id)),
    test: () => test(api, config),
  };
}

function fileOf(id: string): [conversation: string, file: string] {
  const [conversation = '', file = ''] = id.split('/');
  return [conversation, file];
}

function shown(config: Config, context: Context, delivery: Delivery): object {
  return toConversation(config, context, delivery, namedFiles(delivery.message));
}

async function test(api: Api, { mailbox }: Config): Promise<string> {
  const [{ firstName, lastName, id }, { name }] = [await api.me(), await api.mailbox(mailbox)];
  const who = [firstName, lastName].filter(Boolean).join(' ') || id;
  return `Help Scout knows the application as ${who}, and the inbox as ${name}`;
}
