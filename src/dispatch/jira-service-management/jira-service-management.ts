import type { ActionInput } from '../../core/action.ts';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination } from '../../core/destination.ts';
import { PermanentError } from '../../core/errors.ts';
import { contactOf } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { createApi } from './api.ts';
import type { Api } from './api.ts';
import { Config, placeOf } from './config.ts';
import { actionsOf, createPoll, History } from './poll.ts';
import { createTickets, toEdit, toRequest } from './tickets.ts';
import { createWebhook, toWake } from './webhook.ts';
import { toInternal } from './words.ts';

const LARGEST_FILE = 100 * 1024 * 1024;
const POLL_PUSHED_MS = 60_000;
const POLL_ALONE_MS = 15_000;

/** Keeps requests in Jira Service Management (Cloud), and brings back what agents do there. */
export const jiraServiceManagement = defineDestination({
  type: 'jira_service_management',
  title: 'Jira Service Management',
  summary: 'Keeps tickets as requests in Jira Service Management; answers, notes and statuses come back.',
  docs: 'destinations/jira-service-management.md',
  stability: 'beta',
  capabilities: {
    carries: 'tickets',
    idempotent: false,
    localhost: true,
    proven: ['vendor description', 'independent mock', 'signature vectors'],
  },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context);
  let asked: Promise<string> | undefined;
  const me = () => {
    asked ??= api.me().then(
      ({ accountId }) => accountId,
      (error: unknown) => {
        asked = undefined;
        throw error;
      },
    );
    return asked;
  };
  return {
    ...createTickets(config, context, api, me),
    preview: (delivery) => ({
      method: 'POST',
      url: `${config.apiRoot}/rest/servicedeskapi/request`,
      body: shown(config, context, delivery),
    }),
    poll: createPoll(config, context, api, me),
    pollEveryMs: config.webhookSecret ? POLL_PUSHED_MS : POLL_ALONE_MS,
    normalize: ({ method, body }): ActionInput[] =>
      method === 'POLL' ? actionsOf(config, History.parse(parseJson(body))) : [toWake(config.projectKey, body)],
    ...(config.webhookSecret && { webhook: createWebhook(config.webhookSecret) }),
    download: ({ id }) => api.download(id, LARGEST_FILE),
    test: () => test(api, config),
  };
}

function shown(config: Config, { publicUrl }: Context, delivery: Delivery): object {
  const email = contactOf(delivery.customer, 'email');
  const internal = toInternal(publicUrl, delivery, new Map());
  return {
    ...toRequest(config, publicUrl, delivery),
    ...(email !== undefined && { raiseOnBehalfOf: `(${email})` }),
    ...(internal && { '(internally)': internal }),
    '(then)': toEdit(config, publicUrl, delivery, new Map()),
  };
}

async function test(api: Api, { fields, apiRoot }: Config): Promise<string> {
  const { displayName, accountId } = await api.me();
  const { canRaiseOnBehalfOf, requestTypeFields } = await api.fields();
  const given = ['summary', 'description', ...Object.keys(fields).map((name) => placeOf(name).field)];
  const missing = requestTypeFields.filter(({ fieldId, required }) => required && !given.includes(fieldId));
  if (missing.length > 0) {
    throw new PermanentError(
      `the request type requires ${missing.map(({ name, fieldId }) => `${name} (${fieldId})`).join(', ')}`,
      {
        hint: 'Map them in `fields`, or make them optional in the request type.',
      },
    );
  }
  if (canRaiseOnBehalfOf === false) {
    throw new PermanentError('this account may not raise requests for customers', {
      hint: 'Give it a licence of Jira Service Management and the role of an agent in the project.',
    });
  }
  return `${new URL(apiRoot).host} knows the token as ${displayName ?? accountId}`;
}
