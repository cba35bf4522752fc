import { buffer } from 'node:stream/consumers';
import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { PermanentError, isRefused } from '../../core/errors.ts';
import { contactOf, mapFields, toTheirs } from '../../core/field-mapping.ts';
import { withMark } from '../../core/mark.ts';
import { sendable } from '../../core/sendable.ts';
import type { Customer, Ticket } from '../../core/ticket.ts';
import { toPlainText, toSafeHtml } from '../../core/words.ts';
import type { Api, Made } from './api.ts';
import type { Config } from './config.ts';

/** The description and a note take 65,536 characters; some are left for the mark's link. */
const TEXT_BYTES = 62_000;
const SUBJECT_LENGTH = 255;
const NAME_LENGTH = 255;
const MOST_FILE_BYTES = 50 * 1024 * 1024;
/** https://developers.hubspot.com/docs/api-reference/crm-associations-v4/guide */
const TICKET_TO_CONTACT = 16;
const TICKET_TO_NOTE = 227;
const NOTE_TO_TICKET = 228;

/** Why files don't go along: id of the attachment → reason. */
type Unsent = ReadonlyMap<string, string>;

/** What is written into tickets there. `hubId`: the number of the account. */
export function createTickets(config: Config, { publicUrl }: Context, api: Api, hubId: () => Promise<string>) {
  const refOf = async (id: string): Promise<TicketRef> => ({
    externalId: id,
    url: `https://app.hubspot.com/contacts/${await hubId()}/record/0-5/${id}`,
  });

  async function find({ id }: Ticket): Promise<TicketRef | undefined> {
    try {
      return await refOf((await api.read('tickets', id, [config.idProperty], config.idProperty)).id);
    } catch (error) {
      if (isRefused(error, 404)) return undefined;
      throw error;
    }
  }

  async function write(delivery: Delivery, { ids, unsent }: Uploads, ticketId: string | undefined): Promise<string> {
    const { message, ticket } = delivery;
    const said = toSafeHtml(delivery, { publicUrl, max: TEXT_BYTES, unsent });
    const properties = {
      hs_timestamp: message.occurredAt,
      // The words of a new ticket stand in its description; this note only carries the files.
      hs_note_body: withMark(ticketId === undefined ? '' : said, { publicUrl, ticket, message }),
      ...(ids.length > 0 && { hs_attachment_ids: ids.join(';') }),
    };
    const associations = ticketId === undefined ? [] : [to(ticketId, NOTE_TO_TICKET)];
    return (await api.create('notes', { properties, associations })).id;
  }

  return {
    findTicket: find,
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const account = await hubId();
      const uploads = await upload(api, delivery);
      const contact = await contactIn(api, config, delivery.customer);
      // Files hang on notes, and the ticket is made together with its note: there is never one without the other.
      const note = uploads.ids.length > 0 ? await write(delivery, uploads, undefined) : undefined;
      const made: Made = {
        properties: toTicket(config, publicUrl, delivery, uploads.unsent),
        associations: [to(contact, TICKET_TO_CONTACT), ...(note === undefined ? [] : [to(note, TICKET_TO_NOTE)])],
      };
      try {
        const { id } = await api.create('tickets', made);
        return { externalId: id, url: `https://app.hubspot.com/contacts/${account}/record/0-5/${id}` };
      } catch (error) {
        // Refused where our id is there already: an earlier try came through.
        const found = isRefused(error, 400, 409) ? await find(delivery.ticket) : undefined;
        if (found) return found;
        throw error;
      }
    },
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<void> {
      await write(delivery, await upload(api, delivery), externalId);
    },
  };
}

/** What a ticket is made of, without whom and what it belongs to. */
export function toTicket(config: Config, publicUrl: string, delivery: Delivery, unsent: Unsent) {
  const { ticket } = delivery;
  const subject = cut(ticket.subject.trim() || `#${ticket.number}`, SUBJECT_LENGTH);
  // A subject that is cut there stands whole in the description.
  const said = { ...delivery, ticket: { ...ticket, subject } };
  const fields = Object.entries(mapFields(config.fields, delivery)).map(([name, value]) => [
    name,
    // Several choices are one text there.
    typeof value === 'string' ? value : value.join(';'),
  ]);
  return {
    ...(Object.fromEntries(fields) as Record<string, string>),
    subject,
    content: toPlainText(said, { publicUrl, max: TEXT_BYTES, unsent }),
    hs_pipeline: config.pipeline,
    hs_pipeline_stage: String(toTheirs(config.statuses, ticket.status)),
    hs_ticket_priority: String(toTheirs(config.priorities, ticket.priority)),
    [config.idProperty]: ticket.id,
  };
}

export function to(id: string, associationTypeId: number): object {
  return { to: { id }, types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId }] };
}

/** What a ticket belongs to, for people who look before it is sent. */
export function shownAssociations({ customer, message }: Delivery): object[] {
  const files = message.attachments.filter(({ state }) => state === 'stored').map(({ name }) => name);
  const contact = to(`(${contactOf(customer, 'email') ?? customer.id})`, TICKET_TO_CONTACT);
  return files.length > 0 ? [contact, to(`(a note with ${files.join(', ')})`, TICKET_TO_NOTE)] : [contact];
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}

interface Uploads {
  readonly ids: readonly string[];
  readonly unsent: Unsent;
}

/** Uploads what is stored; what HubSpot doesn't take is named in the text, with a link, rather than losing it. */
async function upload(api: Api, delivery: Delivery): Promise<Uploads> {
  const { sending, unsent } = sendable(delivery.message, { max: MOST_FILE_BYTES, taker: 'HubSpot' });
  const ids: string[] = [];
  for (const { id, name, mediaType } of sending) {
    try {
      ids.push(await api.upload(name, mediaType, await buffer(await delivery.open(id))));
    } catch (error) {
      if (!(error instanceof PermanentError) || error.gone) throw error;
      unsent.set(id, 'HubSpot did not take it');
    }
  }
  return { ids, unsent };
}

/**
 * The customer as HubSpot knows him, by the address that a platform carries, else by our id. One who is there stays as
 * he is: agents may have named him.
 */
async function contactIn(api: Api, { idProperty }: Config, customer: Customer): Promise<string> {
  const [email, phone] = [contactOf(customer, 'email'), contactOf(customer, 'phone')];
  const [by, value] = email === undefined ? [idProperty, customer.id] : ['email', email];
  const find = async () => {
    try {
      return (await api.read('contacts', value, [by], by)).id;
    } catch (error) {
      if (isRefused(error, 404)) return undefined;
      throw error;
    }
  };
  const found = await find();
  if (found !== undefined) return found;
  const properties = {
    [by]: value,
    firstname: cut(customer.name ?? email ?? phone ?? 'Customer without a name', NAME_LENGTH),
    ...(phone !== undefined && { phone }),
  };
  try {
    return (await api.create('contacts', { properties, associations: [] })).id;
  } catch (error) {
    // Made by somebody else in the meantime.
    const other = isRefused(error, 400, 409) ? await find() : undefined;
    if (other === undefined) throw error;
    return other;
  }
}
