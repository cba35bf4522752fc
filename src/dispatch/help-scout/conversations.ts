import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { mapFields, toTheirs } from '../../core/field-mapping.ts';
import { markIn, markOf, withMark } from '../../core/mark.ts';
import { sendWithFiles } from '../../core/sendable.ts';
import type { Files } from '../../core/sendable.ts';
import { isInternal, type Message, type Ticket } from '../../core/ticket.ts';
import { toSafeHtml } from '../../core/words.ts';
import type { Api, Conversation } from './api.ts';
import type { Config } from './config.ts';

const TEXT_BYTES = 60_000;
const SUBJECT_LENGTH = 255;
const NAME_LENGTH = 40;
/** All files of a message together. */
const LIMIT = { max: 10 * 1024 * 1024, taker: 'Help Scout' };
/** A search finds what is older; the list shows what is newer. */
const INDEXED_MS = 60 * 60_000;
const MOST_PAGES = 400;
/** A conversation takes no more than 100 threads: https://developer.helpscout.com/mailbox-api/endpoints/conversations/create/ */
const FULL = 412;

/** What is written into conversations there. */
export function createConversations(config: Config, context: Context, api: Api) {
  /** All of a ticket, the first one first; more than one where it went on. */
  async function allOf({ id, customer }: Ticket): Promise<Conversation[]> {
    const isOf = (each: Conversation) => threadsOf(each).some(({ body }) => isAbout(body, id));
    const query = `(email:"${addressOf(config, customer.id)}")`;
    // A search may find the first one, and not yet the one that it went on in.
    const found = [...(await listed(api, { query })), ...(await recent(config, context, api))].filter(isOf);
    const all = new Map(found.map((each) => [each.id, each]));
    return [...all.values()].sort((a, b) => Number(a.id) - Number(b.id));
  }

  async function create(delivery: Delivery): Promise<TicketRef> {
    const made = await sendWithFiles(delivery, LIMIT, (files) =>
      api.create(toConversation(config, context, delivery, files)),
    );
    return refOf(made.id, made.url);
  }

  async function add(there: Conversation, delivery: Delivery): Promise<void> {
    const { message } = delivery;
    const customer = customerOf(config, delivery);
    await sendWithFiles(delivery, LIMIT, async (files) => {
      const thread = toThread(context, delivery, files);
      if (message.direction === 'inbound') return api.add(there.id, 'customer', { ...thread, customer });
      // Otherwise it becomes active, whatever is written; and a reply that isn't imported is an e-mail.
      const kept = { ...thread, ...(there.status !== 'spam' && { status: there.status }) };
      if (isInternal(message)) return api.add(there.id, 'notes', kept);
      return api.add(there.id, 'reply', { ...kept, customer, imported: true });
    });
  }

  /** A conversation that is full takes nothing more: another one does, made by us or, after a lost answer, found. */
  async function goOn(full: string, delivery: Delivery): Promise<TicketRef> {
    const later = (await allOf(delivery.ticket)).filter(({ id }) => Number(id) > Number(full)).at(-1);
    if (!later) return create(delivery);
    if (!has(later, delivery.message)) await add(later, delivery);
    return refOf(later.id);
  }

  return {
    async findTicket(ticket: Ticket): Promise<TicketRef | undefined> {
      const last = (await allOf(ticket)).at(0);
      return last && refOf(last.id);
    },
    createTicket: create,
    /** Where the ticket goes on, if that isn't where it was. */
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<TicketRef | undefined> {
      try {
        await add(await api.conversation(externalId), delivery);
        return undefined;
      } catch (error) {
        if (!(error instanceof PermanentError) || error.response?.status !== FULL) throw error;
        return goOn(externalId, delivery);
      }
    },
    hasMessage: async ({ externalId }: TicketRef, message: Message) => has(await api.conversation(externalId), message),
  };
}

export function threadsOf(conversation: Conversation) {
  return conversation._embedded?.threads ?? [];
}

function has(conversation: Conversation, message: Message): boolean {
  const mark = markOf(message);
  return threadsOf(conversation).some(({ body }) => markIn(body ?? '') === mark);
}

/** Words of ours, of this ticket. */
function isAbout(body: string | null | undefined, ticketId: string): boolean {
  return markIn(body ?? '') !== undefined && (body ?? '').includes(`/t/${ticketId}#`);
}

/**
 * Every page of a list, to the end or until what was read is enough. Where the oldest come first, the pages before are read
 * again, backwards: what moves meanwhile goes to the end, and another one takes its place on a page that was read.
 */
export async function listed(
  api: Api,
  query: Readonly<Record<string, string>>,
  {
    isEnough,
    signal,
  }: { readonly isEnough?: (all: readonly Conversation[]) => boolean; readonly signal?: AbortSignal } = {},
): Promise<Conversation[]> {
  const all: Conversation[] = [];
  for (let page = 1; page <= MOST_PAGES; page++) {
    const { conversations, isLast } = await api.list(query, page, signal);
    all.push(...conversations);
    if (!isLast && !isEnough?.(all)) continue;
    for (let again = query['sortOrder'] === 'asc' ? page - 1 : 0; again > 0; again--) {
      all.push(...(await api.list(query, again, signal)).conversations);
    }
    return [...new Map(all.map((each) => [each.id, each])).values()];
  }
  throw new RetryableError('Help Scout lists more conversations than can be looked through', { outcomeUnknown: true });
}

/** Those that were made so shortly ago that a search may not find them. */
function recent({ mailbox, tag }: Config, { clock }: Pick<Context, 'clock'>, api: Api): Promise<Conversation[]> {
  const order = { sortField: 'createdAt', sortOrder: 'desc' };
  const since = clock.now() - INDEXED_MS;
  const isEnough = (all: readonly Conversation[]) => all.some(({ createdAt }) => Date.parse(createdAt) < since);
  return listed(api, { mailbox: String(mailbox), tag, ...order }, { isEnough });
}

/** What a conversation is made of. */
export function toConversation(
  config: Config,
  context: Pick<Context, 'publicUrl'>,
  delivery: Delivery,
  files: Files,
): Record<string, unknown> {
  const { ticket, message } = delivery;
  const customer = customerOf(config, delivery);
  const thread = toThread(context, delivery, files);
  const { assignTo, ...custom } = mapFields(config.fields, delivery);
  const fields = Object.entries(custom).map(([id, value]) => ({ id: Number(id), value: [value].flat().join(', ') }));
  return {
    subject: subjectOf(ticket),
    customer,
    mailboxId: config.mailbox,
    type: 'email',
    status: toTheirs(config.statuses, ticket.status === 'new' ? 'open' : ticket.status),
    autoReply: false,
    tags: [...new Set([config.tag, ...ticket.tags.map((tag) => tag.toLowerCase())])],
    ...(fields.length > 0 && { fields }),
    ...(assignTo !== undefined && { assignTo: numberOf(String(assignTo)) }),
    // A reply would be an e-mail to him, so what isn't his is a note at first.
    threads: [
      message.direction === 'inbound' ? { type: 'customer', customer, ...thread } : { type: 'note', ...thread },
    ],
  };
}

function toThread({ publicUrl }: Pick<Context, 'publicUrl'>, delivery: Delivery, { unsent, sent }: Files) {
  const { ticket, message } = delivery;
  // A subject that is cut there stands whole in the words.
  const said = { ...delivery, ticket: { ...ticket, subject: subjectOf(ticket) } };
  const attachments = sent.map(({ name, mediaType, bytes }) => ({
    fileName: name,
    mimeType: mediaType,
    data: bytes.toString('base64'),
  }));
  return {
    text: withMark(toSafeHtml(said, { publicUrl, max: TEXT_BYTES, unsent }), { publicUrl, ticket, message }),
    ...(attachments.length > 0 && { attachments }),
  };
}

export function refOf(id: string, url?: string): TicketRef {
  const isAddress = url !== undefined && URL.canParse(url) && new URL(url).protocol === 'https:';
  return {
    externalId: id,
    url: isAddress ? url : `https://secure.helpscout.net/conversation/${encodeURIComponent(id)}`,
  };
}

/** Without his own address: Help Scout mails him what agents answer, which goes through the gateway. */
function customerOf(config: Config, { customer }: Pick<Delivery, 'customer'>): object {
  const name = (customer.name ?? 'Customer without a name').trim();
  return { email: addressOf(config, customer.id), firstName: cut(name === '' ? 'Customer' : name, NAME_LENGTH) };
}

function addressOf({ addressDomain }: Config, customerId: string): string {
  return `${customerId}@${addressDomain}`;
}

function subjectOf({ subject, number }: Ticket): string {
  return cut(subject.trim() || `#${number}`, SUBJECT_LENGTH);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}

function numberOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new PermanentError(`the mapping gives assignTo the value ${JSON.stringify(text.slice(0, 100))}, not a number`, {
    hint: 'Correct `fields` in the configuration, then replay this delivery.',
  });
}
