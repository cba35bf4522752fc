import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination, Preview, TicketRef, TicketUpdate } from '../../core/destination.ts';
import { PermanentError } from '../../core/errors.ts';
import { contactOf } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { createApi } from './api.ts';
import type { Api } from './api.ts';
import { toComment } from './comments.ts';
import { Config, stageOf, statusOf } from './config.ts';
import { actionsOf, createPoll } from './poll.ts';
import { createTickets, Item, originatorOf, placeOf, toItem, TYPES } from './tickets.ts';
import { createWebhook, toWake } from './webhook.ts';

const LARGEST_FILE = 100 * 1024 * 1024;
const POLL_PUSHED_MS = 300_000;
const POLL_ALONE_MS = 60_000;

const One = z.object({ item: Item });
const File = z.object({ DOWNLOAD_URL: z.url({ protocol: /^https?$/ }) });
const Users = z.array(z.object({ NAME: z.string().nullish(), LAST_NAME: z.string().nullish() }));
const Fields = z.object({
  fields: z.record(z.string(), z.object({ isReadOnly: z.boolean().nullish(), upperName: z.string().nullish() })),
});

/** Keeps conversations in Bitrix24 CRM as deals or leads, and brings back what colleagues do there. */
export const bitrix24 = defineDestination({
  type: 'bitrix24',
  title: 'Bitrix24',
  summary: 'Keeps conversations in Bitrix24 as deals or leads; comments, answers and stages come back.',
  docs: 'destinations/bitrix24.md',
  stability: 'beta',
  capabilities: { carries: 'tickets', idempotent: false, localhost: true, proven: ['vendor description'] },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const api = createApi(config, context);
  return {
    ...createTickets(config, context, api),
    update: (ref, update) => move(config, api, ref, update),
    preview: (delivery) => preview(config, context, delivery),
    poll: createPoll(config, context, api),
    pollEveryMs: config.applicationToken ? POLL_PUSHED_MS : POLL_ALONE_MS,
    normalize: ({ method, body }): ActionInput[] =>
      method === 'POLL' ? actionsOf(config, parseJson(body)) : [toWake(body)],
    ...(config.applicationToken && { webhook: createWebhook(config.applicationToken) }),
    download: ({ id }) => download(config, context, api, id),
    test: () => test(config, api),
  };
}

/** A deal that is won or lost stays so: what became of it is the salesman's to say. */
async function move(config: Config, api: Api, ref: TicketRef, { status }: TicketUpdate): Promise<void> {
  const { entity, id } = placeOf(ref);
  const stageId = status && stageOf(config, entity, status);
  if (stageId === undefined) return;
  const about = { entityTypeId: TYPES[entity], id: Number(id) };
  const { item } = await api.call(One, 'crm.item.get', about);
  const isFinal = item.stageSemanticId === 'S' || item.stageSemanticId === 'F';
  if (isFinal || statusOf(config, entity, item.stageId ?? '') === status || item.stageId === stageId) return;
  await api.call(One, 'crm.item.update', { ...about, fields: { stageId } });
}

function preview(config: Config, context: Context, delivery: Delivery): Preview {
  const { customer } = delivery;
  const who = contactOf(customer, 'email') ?? contactOf(customer, 'phone') ?? customer.id;
  const fields = { ...toItem(config, delivery, originatorOf(context)), contactId: `(${who})` };
  return {
    method: 'POST',
    url: `${config.apiRoot}/rest/${config.userId}/…/crm.item.add`,
    body: { entityTypeId: TYPES[config.entity], fields, comment: toComment(context, delivery, new Map()) },
  };
}

/** Its address holds a token, and in this way of signing in the secret of the webhook: it is asked for when it is needed. */
async function download(config: Config, { http }: Context, api: Api, id: string): Promise<Readable> {
  const { DOWNLOAD_URL: url } = await api.call(File, 'disk.file.get', { id: Number(id) });
  if (new URL(url).origin !== new URL(config.apiRoot).origin) {
    throw new PermanentError(`Bitrix24 names ${new URL(url).host} as the place of a file, which is none of its own`);
  }
  const { body } = await http.stream({
    url,
    hidden: config.code.reveal(),
    maxBytes: LARGEST_FILE,
    mayFollow: isTheirs,
  });
  return body;
}

/** In the cloud files lie at its content network: `cdn-ru.bitrix24.ru` and the like. */
function isTheirs({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' && /(^|\.)bitrix24\.[a-z]{2,3}(\.[a-z]{2})?$/.test(hostname);
}

/** Fields that it doesn't know it ignores without a word, so they are looked at here. */
async function test(config: Config, api: Api): Promise<string> {
  const [user] = await api.call(Users, 'user.get', { FILTER: { ID: [config.userId] } });
  const about = { entityTypeId: TYPES[config.entity], useOriginalUfNames: 'Y' };
  const { fields } = await api.call(Fields, 'crm.item.fields', about);
  const writable = Object.entries(fields).filter(([, { isReadOnly }]) => isReadOnly !== true);
  const names = new Set(writable.flatMap(([name, { upperName }]) => [name, upperName ?? name]));
  const unknown = Object.keys(config.fields).filter((name) => !names.has(name));
  if (unknown.length > 0) {
    throw new PermanentError(`${config.entity}s there have no field ${unknown.join(', ')} that can be written`, {
      hint: 'Correct `fields` in the configuration: Bitrix24 drops such values without a word.',
    });
  }
  const name = [user?.NAME, user?.LAST_NAME].filter(Boolean).join(' ') || `user ${config.userId}`;
  return `Bitrix24 knows the webhook as ${name}, and keeps conversations as ${config.entity}s`;
}
