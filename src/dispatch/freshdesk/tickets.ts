import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { PermanentError, RetryableError, UncertainError } from '../../core/errors.ts';
import { contactOf, mapFields, toTheirs } from '../../core/field-mapping.ts';
import { markIn, markOf, withMark } from '../../core/mark.ts';
import { sendWithFiles } from '../../core/sendable.ts';
import type { Files } from '../../core/sendable.ts';
import { isInternal, type Customer, type Message, type Ticket } from '../../core/ticket.ts';
import type { UploadFile } from '../../core/upload-form.ts';
import { toSafeHtml } from '../../core/words.ts';
import { holderOf, PAGE } from './api.ts';
import type { Api, Conversation, Ticket as Theirs } from './api.ts';
import { STANDARD } from './config.ts';
import type { Config } from './config.ts';

const BODY_BYTES = 60_000;
const SUBJECT_LENGTH = 255;
const TAG_LENGTH = 32;
/** All files of a note, or of a ticket, together. */
const LIMIT = { max: 20 * 1024 * 1024, taker: 'Freshdesk' };
/** A search finds what is older; the lists show what is newer. Freshdesk speaks of "a few minutes". */
const INDEXED_MS = 60 * 60_000;
const MOST_PAGES = 100;

type Unsent = ReadonlyMap<string, string>;

/** What is written into tickets there. */
export function createTickets(config: Config, context: Context, api: Api) {
  /** Freshdesk has no key that keeps a second ticket from being made: it has to be seen that there is none. */
  async function find({ id }: Ticket): Promise<TicketRef | undefined> {
    const is = (ticket: Theirs) => ticket.custom_fields?.[config.idField] === id;
    const found = (await api.search(config.idField, id)).filter(is);
    const all = found.length > 0 ? found : (await recent(api, context)).filter(is);
    const [first] = all.sort((a, b) => Number(a.id) - Number(b.id));
    return first && refOf(config, first.id);
  }

  return {
    findTicket: find,
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const requester = Number(await requesterOf(config, api, delivery.customer));
      const { message } = delivery;
      // The files of a ticket are shown to its requester.
      const shown = isInternal(message) ? { ...delivery, message: { ...message, attachments: [] } } : delivery;
      const made = await sendWithFiles(shown, LIMIT, async ({ unsent, sent }) =>
        api.create({ ...toTicket(config, context, delivery, unsent), requester_id: requester }, uploadsOf(sent)),
      );
      return refOf(config, made.id);
    },
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<void> {
      const isCustomers = delivery.message.direction === 'inbound';
      const author = isCustomers ? (await api.ticket(externalId)).requester_id : undefined;
      await sendWithFiles(delivery, LIMIT, async ({ unsent, sent }) => {
        const note = {
          body: bodyOf(context, delivery, unsent),
          private: isInternal(delivery.message),
          ...(isCustomers && { incoming: true, ...(author && { user_id: Number(author) }) }),
        };
        return api.note(externalId, note, uploadsOf(sent));
      });
    },
    async hasMessage({ externalId }: TicketRef, message: Message): Promise<boolean> {
      const mark = markOf(message);
      for await (const page of pagesOf(api, externalId)) {
        if (page.some(({ body }) => markIn(body ?? '') === mark)) return true;
      }
      return false;
    },
  };
}

/** What was said in a ticket, a page at a time. */
export async function* pagesOf(
  api: Api,
  ticketId: string,
  signal?: AbortSignal,
): AsyncGenerator<readonly Conversation[]> {
  for (let page = 1; page <= MOST_PAGES; page++) {
    const found = await api.conversations(ticketId, page, signal);
    yield found;
    if (found.length < PAGE) return;
  }
  throw new UncertainError(`ticket ${ticketId} has more conversations in Freshdesk than can be looked through`);
}

/** Tickets that were made so shortly ago that a search may not find them. */
async function recent(api: Api, { clock }: Pick<Context, 'clock'>): Promise<Theirs[]> {
  const since = clock.now() - INDEXED_MS;
  const all: Theirs[] = [];
  for (let page = 1; page <= MOST_PAGES; page++) {
    const found = await api.list({ since, by: 'created_at', page });
    all.push(...found);
    if (found.length < PAGE || found.some(({ created_at: at }) => Date.parse(at) < since)) return all;
  }
  throw new RetryableError('Freshdesk made more tickets within the hour than can be looked through', {
    outcomeUnknown: true,
  });
}

/** What a ticket is made of, without its requester, who must be asked for. */
export function toTicket(
  config: Config,
  context: Pick<Context, 'publicUrl'>,
  delivery: Delivery,
  unsent: Unsent,
): Record<string, unknown> {
  const { ticket } = delivery;
  const { custom, standard } = fieldsOf(config, delivery);
  const tags = [...new Set([...config.tags, ...ticket.tags.map(toTag)])];
  return {
    ...standard,
    subject: subjectOf(ticket),
    description: isInternal(delivery.message) ? before(context, delivery) : bodyOf(context, delivery, unsent),
    status: Number(toTheirs(config.statuses, ticket.status === 'new' ? 'open' : ticket.status)),
    priority: Number(toTheirs(config.priorities, ticket.priority)),
    ...(tags.length > 0 && { tags }),
    custom_fields: { ...custom, [config.idField]: ticket.id },
  };
}

export function refOf({ subdomain }: Config, id: string): TicketRef {
  return { externalId: id, url: `https://${subdomain}.freshdesk.com/a/tickets/${id}` };
}

function bodyOf({ publicUrl }: Pick<Context, 'publicUrl'>, delivery: Delivery, unsent: Unsent): string {
  const { ticket, message } = delivery;
  // A subject that is cut there stands whole in the words.
  const said = { ...delivery, ticket: { ...ticket, subject: subjectOf(ticket) } };
  return withMark(toSafeHtml(said, { publicUrl, max: BODY_BYTES, unsent }), { publicUrl, ticket, message });
}

/** The description is shown to the requester: what is internal is only linked, above what was said before. */
function before(context: Pick<Context, 'publicUrl'>, delivery: Delivery): string {
  const { ticket, message, transcript } = delivery;
  const last = transcript.at(-1);
  const unsent = new Map(last?.attachments.map(({ id }) => [id, 'it came earlier']));
  const wording = { publicUrl: context.publicUrl, max: BODY_BYTES, unsent };
  const html = last ? toSafeHtml({ ...delivery, message: last, transcript: transcript.slice(0, -1) }, wording) : '';
  return withMark(html, { ...context, ticket, message });
}

function uploadsOf(files: Files['sent']): UploadFile[] {
  return files.map((file) => ({ field: 'attachments[]', ...file }));
}

function subjectOf({ subject, number }: Ticket): string {
  return cut(subject.trim() || `#${number}`, SUBJECT_LENGTH);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}

function toTag(tag: string): string {
  return cut(tag.replaceAll(',', ' '), TAG_LENGTH);
}

function fieldsOf(config: Config, delivery: Delivery) {
  const custom: Record<string, string | number | boolean> = {};
  const standard: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(mapFields(config.fields, delivery))) {
    const [field = name, kind = STANDARD[name]] = name.split(':');
    const text = [value].flat().join(', ');
    if (kind === 'checkbox') custom[field] = ['true', 'yes', '1', 'on'].includes(text.toLowerCase());
    else if (Object.hasOwn(STANDARD, name)) standard[name] = kind === 'number' ? numberOf(name, text) : text;
    else custom[field] = kind === 'number' ? numberOf(field, text) : text;
  }
  return { custom, standard };
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) return number;
  throw new PermanentError(`the mapping gives ${name} the value ${JSON.stringify(text.slice(0, 100))}, not a number`, {
    hint: 'Correct `fields` in the configuration, then replay this delivery.',
  });
}

/** Looked for first: whom agents have named stays as he is. */
async function requesterOf({ requesters }: Config, api: Api, customer: Customer): Promise<string> {
  const email = requesters === 'by_email' ? contactOf(customer, 'email') : undefined;
  const [found] = await (email ? api.contacts('email', email) : api.contacts('unique_external_id', customer.id));
  if (found) return found.id;
  const named =
    customer.name ?? contactOf(customer, 'email') ?? contactOf(customer, 'phone') ?? 'Customer without a name';
  const key = email ? { email } : { unique_external_id: customer.id };
  try {
    return (await api.makeContact({ name: cut(named, SUBJECT_LENGTH), ...key })).id;
  } catch (error) {
    // An agent's address, or made meanwhile.
    const holder = holderOf(error);
    if (holder !== undefined) return holder;
    throw error;
  }
}
