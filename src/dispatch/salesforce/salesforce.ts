import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination } from '../../core/destination.ts';
import { PermanentError } from '../../core/errors.ts';
import { contactOf, toTheirs } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { namedFiles } from '../../core/sendable.ts';
import { priorities, ticketStatuses } from '../../core/ticket.ts';
import { createApi } from './api.ts';
import type { Api, Field } from './api.ts';
import { Config } from './config.ts';
import { createPoll } from './poll.ts';
import { createTickets, toSteps } from './tickets.ts';
import { toAction } from './way-back.ts';

/** Calls are counted by the day: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm */
const POLL_PUSHED_MS = 5 * 60_000;
const POLL_ALONE_MS = 30_000;

/** Keeps tickets as cases of Service Cloud, and brings back what agents do there. */
export const salesforce = defineDestination({
  type: 'salesforce',
  title: 'Salesforce',
  summary: 'Keeps tickets as cases in Salesforce Service Cloud; published comments, notes and statuses come back.',
  docs: 'destinations/salesforce.md',
  stability: 'beta',
  capabilities: { carries: 'tickets', idempotent: false, localhost: true, proven: ['prose'] },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context);
  return {
    ...createTickets(config, context, api),
    preview: (delivery) => shown(config, context, delivery),
    poll: createPoll(config, context, api),
    pollEveryMs: config.webhookToken ? POLL_PUSHED_MS : POLL_ALONE_MS,
    // A flow that calls says nothing that could be believed: it only wakes.
    normalize: ({ method, body }): ActionInput[] =>
      method === 'POLL' ? [toAction(config, parseJson(body))] : [{ kind: 'wake' }],
    ...(config.webhookToken && { webhook: { token: config.webhookToken, verify: () => undefined } }),
    test: () => test(api, config),
  };
}

function shown(config: Config, { publicUrl }: Context, delivery: Delivery) {
  const contact = `(${contactOf(delivery.customer, 'email') ?? delivery.customer.id})`;
  const [first, ...others] = toSteps(config, publicUrl, delivery, namedFiles(delivery.message), contact);
  const then = others
    .filter(({ method }) => method === 'POST')
    .map(({ path, body, refs }) => ({ path, ...body, ...refs }));
  return {
    method: 'PATCH',
    url: `${config.apiRoot}/services/data/v62.0${first?.path ?? ''}`,
    body: { ...first?.body, ...(then.length > 0 && { '(and with it)': then }) },
  };
}

async function test(api: Api, config: Config): Promise<string> {
  const user = await api.user();
  const [cases, contacts] = [await api.fields('Case'), await api.fields('Contact')];
  checkIdField('Case', cases, config.idField);
  checkIdField('Contact', contacts, config.idField);
  const unknown = Object.keys(config.fields).filter(
    (name) => !cases.some((each) => each.name === name && each.createable),
  );
  if (unknown.length > 0) {
    throw new PermanentError(`cases have no field ${unknown.join(', ')} that the user of the gateway may write`, {
      hint: 'Correct `fields`, or give him the field in a permission set.',
    });
  }
  // Without it no poll gets anywhere.
  await api.query(z.unknown(), 'SELECT Id FROM CaseHistory LIMIT 1');
  checkValues(
    cases,
    'Status',
    ticketStatuses.map((each) => String(toTheirs(config.statuses, each))),
  );
  checkValues(
    cases,
    'Priority',
    priorities.map((each) => String(toTheirs(config.priorities, each))),
  );
  return `${new URL(config.apiRoot).host} takes cases from user ${user}`;
}

/** Without it a case can't be found again, and where its values may repeat, it could be made twice. */
function checkIdField(object: string, fields: readonly Field[], name: string): void {
  const field = fields.find((each) => each.name === name && each.createable);
  if (field?.externalId && field.unique) return;
  const what = field
    ? `is not an external ID with unique values`
    : 'is missing, or the user of the gateway may not write it';
  throw new PermanentError(`the field ${name} of ${object} ${what}`, {
    hint: `In Setup → Object Manager → ${object} → Fields: a text of 80 with the API name ${name}, unique and an external ID.`,
  });
}

function checkValues(fields: readonly Field[], name: 'Status' | 'Priority', wanted: readonly string[]): void {
  const values = fields.find((each) => each.name === name)?.picklistValues.filter(({ active }) => active) ?? [];
  const missing = [...new Set(wanted)].filter((one) => !values.some(({ value }) => value === one));
  if (missing.length === 0) return;
  const setting = name === 'Status' ? 'statuses' : 'priorities';
  throw new PermanentError(`cases have no ${name} ${missing.join(', ')}`, {
    hint: `There are ${values.map(({ value }) => value).join(', ')}: name them in \`${setting}\`.`,
  });
}
