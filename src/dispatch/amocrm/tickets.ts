import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { PermanentError, RetryableError, isRefused } from '../../core/errors.ts';
import { contactOf, mapFields } from '../../core/field-mapping.ts';
import { sendable } from '../../core/sendable.ts';
import type { Customer, Message, Ticket } from '../../core/ticket.ts';
import type { Api } from './api.ts';
import { stageOf } from './config.ts';
import type { Config } from './config.ts';
import type { Drive } from './drive.ts';
import { callNotes, markIn, nameOf, signatureOf, toFileNote, toNote } from './notes.ts';
import type { NewNote } from './notes.ts';
import { Contact, Id, Lead, Note, valuesOf } from './things.ts';

/** Leads: https://www.amocrm.ru/developers/content/crm_platform/leads-api */

const NAME_LENGTH = 255;
/** All files of one message together. */
const FILE_BYTES = 20 * 1024 * 1024;
/** How far its clock may be behind ours. */
const SKEW_MS = 60 * 60_000;
/** What is older a search finds. */
const INDEXED_MS = 2 * 60 * 60_000;
const MOST_PAGES = 40;

const Made = z.tuple([z.object({ id: Id })], z.unknown());
const Noted = z.object({ _embedded: z.object({ notes: z.array(z.object({ id: Id })).min(1) }) });

export function refOf({ apiRoot }: Config, id: string): TicketRef {
  return { externalId: id, url: `${apiRoot}/leads/detail/${encodeURIComponent(id)}` };
}

export function createTickets(config: Config, context: Context, { api, drive }: { api: Api; drive: Drive }) {
  const me = async () => (await api.account()).current_user_id;

  /** By our id: a search finds it unless it is very new, and the newest are listed. */
  async function findLead({ id, createdAt }: Ticket): Promise<string | undefined> {
    const isIt = (lead: Lead) => lead.is_deleted !== true && valuesOf(lead, config.idField).includes(id);
    const known = (await api.first('leads', Lead, { query: id })).find(isIt);
    if (known) return known.id;
    const since = Math.max(Date.parse(createdAt) - SKEW_MS, context.clock.now() - INDEXED_MS);
    let pages = 0;
    for await (const leads of api.pages('leads', Lead, { 'order[id]': 'desc' })) {
      const lead = leads.find(isIt);
      if (lead) return lead.id;
      if (leads.every(({ created_at: at }) => at * 1000 < since)) return undefined;
      if (++pages === MOST_PAGES) {
        throw new RetryableError('amoCRM has more new leads than can be looked through', { outcomeUnknown: true });
      }
    }
    return undefined;
  }

  /** One who has our id, the address or the number already; the first of several. A search finds much else, too. */
  async function findContact(customer: Customer): Promise<string | undefined> {
    const { contactIdField: field } = config;
    const email = contactOf(customer, 'email');
    const digits = digitsOf(contactOf(customer, 'phone') ?? '');
    const ways = [
      ...(field === undefined
        ? []
        : [{ query: customer.id, of: field, isIt: (value: string) => value === customer.id }]),
      ...(email === undefined ? [] : [{ query: email, of: 'EMAIL' as const, isIt: isAddress(email) }]),
      ...(digits === '' ? [] : [{ query: digits.slice(-10), of: 'PHONE' as const, isIt: isNumber(digits) }]),
    ];
    for (const { query, of, isIt } of ways) {
      const found = await api.first('contacts', Contact, { query });
      const same = found.filter((contact) => valuesOf(contact, of).some(isIt)).map(({ id }) => id);
      const [first] = same.sort((a, b) => Number(a) - Number(b));
      if (first !== undefined) return first;
    }
    return undefined;
  }

  async function add(delivery: Delivery): Promise<string> {
    const contact = await findContact(delivery.customer);
    const body = [toLead(config, delivery, contact)];
    const made = await api.read(Made, '/api/v4/leads/complex', { method: 'POST', body });
    if (made) return made[0].id;
    throw new RetryableError('amoCRM made a lead and did not say which', { outcomeUnknown: true });
  }

  async function upload(delivery: Delivery) {
    const { sending, unsent } = sendable(delivery.message, { max: FILE_BYTES, taker: 'amoCRM' });
    const notes: NewNote[] = [];
    for (const { id, name: given, mediaType } of sending) {
      const name = nameOf(given, delivery.message);
      try {
        const uuid = await drive.upload(name, mediaType, await buffer(await delivery.open(id)));
        notes.push(toFileNote(uuid, name));
      } catch (error) {
        if (!(error instanceof PermanentError) || error.gone) throw error;
        unsent.set(id, 'amoCRM did not take it');
      }
    }
    return { notes, unsent, sent: sending.filter(({ id }) => !unsent.has(id)) };
  }

  /** The words come last: where they are, so is the rest. Whatever else isn't taken must not hold them up. */
  async function write(lead: string, delivery: Delivery): Promise<void> {
    const { notes, unsent, sent } = await upload(delivery);
    const beside = [...notes, ...callNotes(context, delivery.message)];
    const send = (all: readonly NewNote[]) =>
      api.read(Noted, `/api/v4/leads/${encodeURIComponent(lead)}/notes`, { method: 'POST', body: all });
    try {
      await send([...beside, toNote(context, delivery, unsent)]);
    } catch (error) {
      if (beside.length === 0 || !isRefused(error, 400, 422)) throw error;
      const refused = sent.map(({ id }) => [id, 'amoCRM did not take it'] as const);
      await send([toNote(context, delivery, new Map([...unsent, ...refused]))]);
    }
  }

  /** Marks of the notes that we wrote there, newest first, as far back as `since`. */
  async function* marks(lead: string, since: number): AsyncGenerator<string> {
    const user = await me();
    const path = `/api/v4/leads/${encodeURIComponent(lead)}/notes`;
    const query = { 'filter[note_type][]': 'common', 'order[id]': 'desc' };
    for await (const notes of api.pages('notes', Note, query, { path })) {
      for (const note of notes) yield* [markIn(note, user) ?? []].flat();
      if (notes.every(({ created_at: at }) => at * 1000 < since)) return;
    }
  }

  async function hasMessage({ externalId }: TicketRef, message: Message): Promise<boolean> {
    const since = Date.parse(message.receivedAt) - SKEW_MS;
    for await (const mark of marks(externalId, since)) if (mark === signatureOf(message)) return true;
    return false;
  }

  return {
    hasMessage,
    /** Only one that has its first message: `createTicket` adds that to one that hasn't. */
    async findTicket(ticket: Ticket): Promise<TicketRef | undefined> {
      const lead = await findLead(ticket);
      if (lead === undefined) return undefined;
      for await (const _mark of marks(lead, Date.parse(ticket.createdAt) - SKEW_MS)) return refOf(config, lead);
      return undefined;
    },
    /** A lead and what was said are two calls: of an earlier try the first may be there without the second. */
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const known = await findLead(delivery.ticket);
      const ref = refOf(config, known ?? (await add(delivery)));
      if (known === undefined || !(await hasMessage(ref, delivery.message))) await write(ref.externalId, delivery);
      return ref;
    },
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<void> {
      await write(externalId, delivery);
    },
  };
}

/** What a lead is made of, with a contact that is there, or a new one. */
export function toLead(config: Config, delivery: Delivery, contact: string | undefined): object {
  const { ticket, customer } = delivery;
  const { pipelineId, responsibleUserId, idField } = config;
  const stage = stageOf(config, ticket.status);
  const mapped = Object.entries(mapFields(config.fields, delivery)).map(([field, value]) =>
    toField({ field_id: Number(field) }, ...[value].flat()),
  );
  return {
    name: cut(ticket.subject.trim() || `#${ticket.number}`),
    ...(pipelineId !== undefined && { pipeline_id: pipelineId }),
    ...(stage !== undefined && { status_id: stage }),
    ...(responsibleUserId !== undefined && { responsible_user_id: responsibleUserId }),
    custom_fields_values: [toField({ field_id: idField }, ticket.id), ...mapped],
    _embedded: {
      contacts: [contact === undefined ? toContact(config, customer) : { id: Number(contact) }],
      ...(ticket.tags.length > 0 && { tags: ticket.tags.map((name) => ({ name })) }),
    },
  };
}

function toContact({ contactIdField, responsibleUserId }: Config, customer: Customer): object {
  const [email, phone] = [contactOf(customer, 'email'), contactOf(customer, 'phone')];
  const work = (value: string) => ({ value, enum_code: 'WORK' });
  const fields = [
    ...(phone === undefined ? [] : [{ field_code: 'PHONE', values: [work(phone)] }]),
    ...(email === undefined ? [] : [{ field_code: 'EMAIL', values: [work(email)] }]),
    ...(contactIdField === undefined ? [] : [toField({ field_id: contactIdField }, customer.id)]),
  ];
  return {
    name: cut(customer.name ?? email ?? phone ?? 'Customer without a name'),
    ...(responsibleUserId !== undefined && { responsible_user_id: responsibleUserId }),
    ...(fields.length > 0 && { custom_fields_values: fields }),
  };
}

function toField(which: { readonly field_id: number }, ...values: readonly string[]): object {
  return { ...which, values: values.map((value) => ({ value })) };
}

function isAddress(address: string): (value: string) => boolean {
  return (value) => value.trim().toLowerCase() === address.toLowerCase();
}

/** People write numbers there as they like; 8 before a Russian one is its +7. */
function isNumber(wanted: string): (value: string) => boolean {
  return (value) => {
    const digits = digitsOf(value);
    const isNational = digits.length === 11 && digits.startsWith('8') && !value.includes('+');
    return (isNational ? `7${digits.slice(1)}` : digits) === wanted;
  };
}

function digitsOf(text: string): string {
  return text.replaceAll(/\D/g, '');
}

function cut(text: string): string {
  return text.length > NAME_LENGTH ? `${text.slice(0, NAME_LENGTH - 1).toWellFormed()}…` : text;
}
