import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Context, Webhook } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination, Preview, TicketRef, TicketUpdate } from '../../core/destination.ts';
import { ignored } from '../../core/envelope.ts';
import { PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';
import { createApi, unless } from './api.ts';
import type { Api } from './api.ts';
import { Config, FINAL, stageOf, statusOf } from './config.ts';
import { createDrive } from './drive.ts';
import { toNote } from './notes.ts';
import { actionsOf, createPoll } from './poll.ts';
import { Id } from './things.ts';
import { createTickets, toLead } from './tickets.ts';

const POLL_PUSHED_MS = 300_000;
const POLL_ALONE_MS = 60_000;

const Field = z.object({ id: Id, type: z.string().nullish() });
const Pipeline = z.object({
  name: z.string(),
  _embedded: z.object({ statuses: z.array(z.object({ id: z.number() })) }),
});

/** Keeps conversations in amoCRM (Kommo) as leads, and brings back what colleagues do there. */
export const amocrm = defineDestination({
  type: 'amocrm',
  title: 'amoCRM, Kommo',
  summary: 'Keeps conversations in amoCRM as leads; answers, notes and stages come back.',
  docs: 'destinations/amocrm.md',
  stability: 'beta',
  capabilities: { carries: 'tickets', idempotent: false, localhost: true, proven: ['prose'] },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context);
  const drive = createDrive(config, api);
  return {
    ...createTickets(config, context, { api, drive }),
    update: (ref, update) => move(config, api, ref, update),
    preview: (delivery) => preview(config, context, delivery),
    poll: createPoll(config, context, api),
    pollEveryMs: config.webhookToken ? POLL_PUSHED_MS : POLL_ALONE_MS,
    normalize: ({ method, body }): ActionInput[] =>
      method === 'POLL' ? actionsOf(config, parseJson(body)) : [toWake(body)],
    ...(config.webhookToken && { webhook: createWebhook(config.webhookToken) }),
    download: ({ id }) => drive.download(id),
    test: () => test(config, api),
  };
}

/** A lead that is won or lost stays so, and one in another pipeline is somebody else's business by now. */
async function move(config: Config, api: Api, { externalId }: TicketRef, { status }: TicketUpdate): Promise<void> {
  const stage = status && stageOf(config, status);
  if (stage === undefined) return;
  const lead = await api.lead(externalId);
  if (!lead) throw new PermanentError(`the lead ${externalId} is gone in amoCRM`);
  const { status_id: there, pipeline_id: pipeline } = lead;
  if (FINAL.has(there) || pipeline !== config.pipelineId || there === stage) return;
  if (statusOf(config, there, pipeline) === status) return;
  const body = { status_id: stage, pipeline_id: pipeline };
  await api.read(z.object({ id: Id }), `/api/v4/leads/${encodeURIComponent(externalId)}`, { method: 'PATCH', body });
}

function preview(config: Config, context: Context, delivery: Delivery): Preview {
  return {
    method: 'POST',
    url: `${config.apiRoot}/api/v4/leads/complex`,
    body: { lead: toLead(config, delivery, undefined), note: toNote(context, delivery, new Map()) },
  };
}

/**
 * amoCRM signs nothing: the address is the proof, which the host has compared.
 * https://www.amocrm.ru/developers/content/crm_platform/webhooks-format
 */
function createWebhook(token: Secret): Webhook {
  return { token, maxBytes: 1024 * 1024, verify: () => undefined };
}

/** What is pushed is only a hint: what it is about is asked for, as without it. */
function toWake(body: Buffer): ActionInput {
  const names = [...new URLSearchParams(body.toString('utf8')).keys()];
  if (names.some((name) => name.startsWith('leads['))) return { kind: 'wake' };
  return ignored(names[0]?.slice(0, 200) || 'a notice without a name', 'not about a lead') as ActionInput;
}

/** A field that isn't there would have every delivery refused, and nothing could be found again. */
async function test(config: Config, api: Api): Promise<string> {
  const { name } = await api.account();
  await checkFields(api, 'leads', [config.idField, ...Object.keys(config.fields).map(Number)], config.idField);
  const { contactIdField: field, pipelineId } = config;
  if (field !== undefined) await checkFields(api, 'contacts', [field], field);
  const pipeline = pipelineId === undefined ? 'the main pipeline' : await checkPipeline(config, api, pipelineId);
  return `amoCRM knows the token as one of ${name || 'the account'}, and keeps conversations in ${pipeline}`;
}

async function checkFields(api: Api, of: 'leads' | 'contacts', wanted: readonly number[], idField: number) {
  const types = new Map<string, string | null | undefined>();
  for await (const fields of api.pages('custom_fields', Field, {}, { path: `/api/v4/${of}/custom_fields` })) {
    for (const { id, type } of fields) types.set(id, type);
  }
  const missing = wanted.filter((id) => !types.has(String(id)));
  const hint = 'Open the field in amoCRM (Settings → Fields) and take the number that it shows.';
  if (missing.length > 0) throw new PermanentError(`${of} have no field ${missing.join(', ')} in amoCRM`, { hint });
  const type = types.get(String(idField));
  if (type === 'text') return;
  throw new PermanentError(`the field ${idField} of ${of} is no text, but ${type ?? 'something else'}`, { hint });
}

async function checkPipeline({ statuses }: Config, api: Api, id: number): Promise<string> {
  const found = await api.read(Pipeline, `/api/v4/leads/pipelines/${id}`).catch(unless(404));
  if (!found) throw new PermanentError(`amoCRM has no pipeline ${id}`, { hint: 'Correct `pipelineId`.' });
  const stages = found._embedded.statuses.map((stage) => stage.id);
  const missing = Object.values(statuses)
    .flat()
    .filter((stage) => !stages.includes(stage));
  if (missing.length === 0) return `the pipeline ${found.name}`;
  throw new PermanentError(`the pipeline ${found.name} has no stage ${missing.join(', ')}`, {
    hint: `Its stages are ${stages.join(', ')}: name them in \`statuses\`.`,
  });
}
