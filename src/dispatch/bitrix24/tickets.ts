import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { PermanentError } from '../../core/errors.ts';
import { contactOf, mapFields } from '../../core/field-mapping.ts';
import type { Customer, Message, Ticket } from '../../core/ticket.ts';
import { Id } from './api.ts';
import type { Api, Call } from './api.ts';
import { Comment, markIn, signatureOf, toComment } from './comments.ts';
import { stageOf } from './config.ts';
import type { Config, Entity } from './config.ts';

/** Deals and leads: https://apidocs.bitrix24.com/api-reference/crm/universal/ */

export const TYPES: Readonly<Record<Entity | 'contact', number>> = { lead: 1, deal: 2, contact: 3 };
const TITLE_LENGTH = 255;
/** All files of one comment together: they go in its request, as base64. */
const FILE_BYTES = 20 * 1024 * 1024;
const UPLOAD_MS = 60_000;
/** How far its clock may be behind ours. */
const SKEW_MS = 60 * 60_000;

export const Item = z.object({
  id: Id,
  stageId: z.string().nullish(),
  stageSemanticId: z.string().nullish(),
  movedTime: z.string().nullish(),
  movedBy: Id.nullish(),
  originId: z.string().nullish(),
});
export type Item = z.output<typeof Item>;
export const Items = z.object({ items: z.array(Item) });
const One = z.object({ item: Item });
const Found = z.union([
  z.object({ CONTACT: z.array(Id).default([]) }),
  z.array(z.never()).transform(() => ({ CONTACT: [] })),
]);
export const Comments = z.array(Comment);

/** A deal or a lead by its short name there: `D_57`, `L_12`. */
export interface Place {
  readonly entity: Entity;
  readonly id: string;
}

export function placeOf({ externalId }: TicketRef): Place {
  const [, letter, id] = /^([DL])_(\d{1,18})$/.exec(externalId) ?? [];
  if (id === undefined) throw new PermanentError(`${externalId} is no name of a deal or a lead`);
  return { entity: letter === 'L' ? 'lead' : 'deal', id };
}

export function refOf({ apiRoot }: Config, { entity, id }: Place): TicketRef {
  const externalId = `${entity === 'lead' ? 'L' : 'D'}_${id}`;
  return { externalId, url: `${apiRoot}/crm/${entity}/details/${id}/` };
}

/** Whose items these are: nobody else’s are read. */
export function originatorOf({ id }: Pick<Context, 'id'>): string {
  return `tributary-${id}`;
}

export function createTickets(config: Config, context: Context, api: Api) {
  const originatorId = originatorOf(context);
  const { entity } = config;

  const listed = (of: Entity | 'contact', filter: object): Call => ({
    method: 'crm.item.list',
    params: { entityTypeId: TYPES[of], select: ['id', 'originId'], filter, order: { id: 'ASC' } },
  });

  /** What is there already: the item of an earlier try, and whom its contacts know. */
  async function lookUp({ ticket, customer }: Delivery) {
    const byContact = (['email', 'phone'] as const).flatMap((kind): Call[] => {
      const value = contactOf(customer, kind);
      const params = { type: kind.toUpperCase(), values: [value], entity_type: 'CONTACT' };
      return value === undefined ? [] : [{ method: 'crm.duplicate.findbycomm', params }];
    });
    const calls = [
      listed(entity, { originatorId, originId: ticket.id }),
      listed('contact', { originatorId, originId: customer.id }),
      ...byContact,
    ];
    const [items, own, ...known] = await api.many(calls);
    const byAddress = known.flatMap((each) => each.read(Found).CONTACT.toSorted((a, b) => Number(a) - Number(b)));
    return { item: items?.read(Items).items[0]?.id, contact: byAddress[0] ?? own?.read(Items).items[0]?.id };
  }

  async function addItem(of: keyof typeof TYPES, fields: object): Promise<string> {
    const params = { entityTypeId: TYPES[of], fields, useOriginalUfNames: 'Y' };
    return (await api.call(One, 'crm.item.add', params)).item.id;
  }

  async function add(delivery: Delivery, contact: string | undefined): Promise<string> {
    const { customer } = delivery;
    // A lead carries who it is itself, until it is converted.
    const contactId =
      contact ?? (entity === 'deal' ? await addItem('contact', personOf(customer, originatorId)) : undefined);
    return addItem(entity, {
      ...toItem(config, delivery, originatorId),
      ...(contactId === undefined ? leadOf(customer) : { contactId: Number(contactId) }),
    });
  }

  async function comment({ entity: of, id }: Place, delivery: Delivery): Promise<void> {
    const { files, unsent } = await readFiles(delivery);
    const fields = {
      ENTITY_ID: Number(id),
      ENTITY_TYPE: of,
      COMMENT: toComment(context, delivery, unsent),
      ...(files.length > 0 && { FILES: files }),
    };
    await api.call(Id, 'crm.timeline.comment.add', { fields }, { ...(files.length > 0 && { timeoutMs: UPLOAD_MS }) });
  }

  /** Marks of the comments that we wrote there, newest first, as far as back as `since`. */
  async function* marks({ entity: of, id }: Place, since: number): AsyncGenerator<string> {
    const params = { filter: { ENTITY_ID: Number(id), ENTITY_TYPE: of }, order: { ID: 'DESC' } };
    for await (const found of api.pages(Comments, { method: 'crm.timeline.comment.list', params })) {
      for (const { AUTHOR_ID: author, COMMENT: text } of found) yield* [markIn({ author, text }, config) ?? []].flat();
      const last = found.at(-1);
      if (last && Date.parse(last.CREATED) < since) return;
    }
  }

  /** A lead that was converted is worked on no more: its deal is. */
  async function dealOf({ entity: of, id }: Place) {
    if (of !== 'lead') return undefined;
    const { item } = await api.call(One, 'crm.item.get', { entityTypeId: TYPES.lead, id: Number(id) });
    if (item.stageSemanticId !== 'S') return undefined;
    const { method, params } = listed('deal', { leadId: Number(id) });
    return (await api.call(Items, method, params)).items.at(-1);
  }

  async function whereItGoesOn(place: Place, { id: originId }: Ticket): Promise<Place | undefined> {
    const deal = await dealOf(place);
    if (!deal) return undefined;
    const about = { entityTypeId: TYPES.deal, id: Number(deal.id) };
    // By our id its comments are found, too.
    if (!deal.originId) await api.call(One, 'crm.item.update', { ...about, fields: { originatorId, originId } });
    return { entity: 'deal', id: deal.id };
  }

  /** In the lead, or in the deal that it was converted to before the answer was lost. */
  async function hasMessage(ref: TicketRef, message: Message): Promise<boolean> {
    const since = Date.parse(message.receivedAt) - SKEW_MS;
    const isThere = async (place: Place) => {
      for await (const mark of marks(place, since)) if (mark === signatureOf(message)) return true;
      return false;
    };
    const place = placeOf(ref);
    if (await isThere(place)) return true;
    const deal = await dealOf(place);
    return deal !== undefined && isThere({ entity: 'deal', id: deal.id });
  }

  return {
    hasMessage,
    /** Only one that has its first message: `createTicket` adds that to one that hasn't. */
    async findTicket(ticket: Ticket): Promise<TicketRef | undefined> {
      const { method, params } = listed(entity, { originatorId, originId: ticket.id });
      const [first] = (await api.call(Items, method, params)).items;
      const place = first && { entity, id: first.id };
      if (place)
        for await (const _mark of marks(place, Date.parse(ticket.createdAt) - SKEW_MS)) return refOf(config, place);
      return undefined;
    },
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const { item, contact } = await lookUp(delivery);
      const place = { entity, id: item ?? (await add(delivery, contact)) };
      const ref = refOf(config, place);
      if (item === undefined || !(await hasMessage(ref, delivery.message))) await comment(place, delivery);
      return ref;
    },
    async addMessage(ref: TicketRef, delivery: Delivery): Promise<TicketRef | undefined> {
      const place = placeOf(ref);
      const next = await whereItGoesOn(place, delivery.ticket);
      await comment(next ?? place, delivery);
      return next && refOf(config, next);
    },
  };
}

/** What an item is made of, without whom it is about. */
export function toItem(config: Config, delivery: Delivery, originatorId: string) {
  const { ticket } = delivery;
  const { entity, categoryId, sourceId, assignedById } = config;
  const stageId = stageOf(config, entity, ticket.status);
  return {
    title: cut(ticket.subject.trim() || `#${ticket.number}`, TITLE_LENGTH),
    originatorId,
    originId: ticket.id,
    ...(stageId !== undefined && { stageId }),
    ...(entity === 'deal' && categoryId !== undefined && { categoryId }),
    ...(sourceId !== undefined && { sourceId }),
    ...(assignedById !== undefined && { assignedById }),
    ...mapFields(config.fields, delivery),
  };
}

export function personOf(customer: Customer, originatorId: string): object {
  return { ...leadOf(customer), originatorId, originId: customer.id };
}

function leadOf(customer: Customer): object {
  const [email, phone] = [contactOf(customer, 'email'), contactOf(customer, 'phone')];
  const fm = [
    ...(phone === undefined ? [] : [{ typeId: 'PHONE', valueType: 'WORK', value: phone }]),
    ...(email === undefined ? [] : [{ typeId: 'EMAIL', valueType: 'WORK', value: email }]),
  ];
  const name = customer.name ?? email ?? phone ?? 'Customer without a name';
  return { name: cut(name, TITLE_LENGTH), ...(fm.length > 0 && { fm }) };
}

async function readFiles(delivery: Delivery) {
  const files: [string, string][] = [];
  const unsent = new Map<string, string>();
  let left = FILE_BYTES;
  for (const { id, name, size, state } of delivery.message.attachments) {
    if (state !== 'stored') continue;
    if ((size ?? 0) > left) {
      unsent.set(id, 'more than 20 MB in one comment');
      continue;
    }
    left -= size ?? 0;
    files.push([name || 'file', (await buffer(await delivery.open(id))).toString('base64')]);
  }
  return { files, unsent };
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}
