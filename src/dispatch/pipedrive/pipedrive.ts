import type { ActionInput } from '../../core/action.ts';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination, Preview, TicketRef, TicketUpdate } from '../../core/destination.ts';
import { PermanentError } from '../../core/errors.ts';
import { contactOf } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { createApi, rootOf } from './api.ts';
import type { Api } from './api.ts';
import { changeTo, Config, STANDARD, statusOf, targetOf } from './config.ts';
import { actionsOf, History } from './history.ts';
import { createPoll } from './poll.ts';
import type { Field } from './shapes.ts';
import { createTickets, toDeal, toNote } from './tickets.ts';
import { createWebhook, toWake } from './webhook.ts';

/** Asking costs tokens, of which there are few a day: 20 for the notes, 10 for the deals. */
const POLL_PUSHED_MS = 15 * 60_000;
const POLL_ALONE_MS = 5 * 60_000;
/** Fields that a search looks into. */
const SEARCHED: readonly string[] = ['varchar', 'varchar_auto', 'text'];

/** Keeps conversations in Pipedrive as deals, and brings back what colleagues do there. */
export const pipedrive = defineDestination({
  type: 'pipedrive',
  title: 'Pipedrive',
  summary: 'Keeps conversations in Pipedrive as deals with their persons; notes, answers and stages come back.',
  docs: 'destinations/pipedrive.md',
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
  let known: Promise<string> | undefined;
  const me = () => {
    known ??= api.me().then(
      ({ id }) => id,
      (error: unknown) => {
        known = undefined;
        throw error;
      },
    );
    return known;
  };
  return {
    ...createTickets(config, context, api),
    update: (ref, update) => move(config, api, ref, update),
    preview: (delivery) => preview(config, context, delivery),
    poll: createPoll(config, context, api, me),
    pollEveryMs: config.webhook ? POLL_PUSHED_MS : POLL_ALONE_MS,
    normalize: ({ method, body }): ActionInput[] =>
      method === 'POLL' ? actionsOf(config, History.parse(parseJson(body))) : [toWake(body)],
    ...(config.webhook && { webhook: createWebhook(config.webhook) }),
    test: () => test(config, api),
  };
}

/** A deal that was won or lost keeps its stage; only a status that is called `open` there opens it again. */
async function move(config: Config, api: Api, { externalId }: TicketRef, { status }: TicketUpdate): Promise<void> {
  const to = status && targetOf(config, status);
  if (to === undefined) return;
  const deal = await api.deal(externalId);
  // Several of ours may be the same there.
  if (statusOf(config, deal) === status) return;
  const isStage = typeof to === 'number';
  const isThere = isStage ? deal.status !== 'open' || deal.stage_id === to : deal.status === to;
  if (!isThere) await api.updateDeal(externalId, changeTo(config, to));
}

function preview(config: Config, context: Context, delivery: Delivery): Preview {
  const { customer, message } = delivery;
  const who = contactOf(customer, 'email') ?? contactOf(customer, 'phone') ?? customer.id;
  const files = message.attachments.filter(({ state }) => state === 'stored').map(({ name }) => name);
  return {
    method: 'POST',
    url: `${rootOf(config)}/api/v2/deals`,
    body: {
      // Which types its fields have would have to be asked for.
      ...toDeal(config, delivery, []),
      person_id: `(${who})`,
      note: toNote(context.publicUrl, delivery, new Map()),
      ...(files.length > 0 && { files }),
    },
  };
}

async function test(config: Config, api: Api): Promise<string> {
  const { id, name } = await api.me();
  const deals = await api.fields('deal');
  checkIdField(deals, 'deal', config.dealIdField);
  checkIdField(await api.fields('person'), 'person', config.personIdField);
  const unknown = Object.keys(config.fields).filter(
    (key) => !Object.hasOwn(STANDARD, key) && !deals.some(({ field_code: code }) => code === key),
  );
  if (unknown.length > 0) {
    throw new PermanentError(`deals have no field ${unknown.join(', ')} in Pipedrive`, {
      hint: 'Name fields by their API key: Company settings → Data fields → Deal, the menu of the field.',
    });
  }
  await checkStages(config, api);
  return `Pipedrive knows the token as ${name ?? id}, and keeps conversations as deals`;
}

/** Without it nothing can be found again. */
function checkIdField(fields: readonly Field[], kind: 'deal' | 'person', key: string): void {
  const field = fields.find(({ field_code: code }) => code === key);
  if (field && SEARCHED.includes(field.field_type)) return;
  const what = field ? `is of the type ${field.field_type}, which is not searched` : 'is not there';
  throw new PermanentError(`the field ${key} of ${kind}s ${what} in Pipedrive`, {
    hint: `Company settings → Data fields → ${kind}: make a field of the type Text, and enter its API key as \`${kind}IdField\`.`,
  });
}

async function checkStages({ statuses, stageId, pipelineId }: Config, api: Api): Promise<void> {
  const wanted = [...Object.values(statuses).flat(), stageId].filter((each) => typeof each === 'number');
  if (wanted.length === 0 && pipelineId === undefined) return;
  const stages = await api.stages();
  const inPipeline = stages.filter(({ pipeline_id: of }) => pipelineId === undefined || of === pipelineId);
  const missing = wanted.filter((each) => !inPipeline.some(({ id }) => id === each));
  if (inPipeline.length > 0 && missing.length === 0) return;
  const what = missing.length > 0 ? `stage ${missing.join(', ')}` : 'stages';
  const where = pipelineId === undefined ? 'Pipedrive' : `the pipeline ${pipelineId}`;
  throw new PermanentError(`${where} has no ${what}`, {
    hint: `Its stages are ${inPipeline.map(({ id }) => id).join(', ') || 'none'}: name them in \`statuses\` and \`stageId\`.`,
  });
}
