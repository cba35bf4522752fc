import { buffer } from 'node:stream/consumers';
import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { contactOf, mapFields, toTheirs } from '../../core/field-mapping.ts';
import { markOf } from '../../core/mark.ts';
import { isInternal, type Customer, type Message, type Ticket } from '../../core/ticket.ts';
import { toSafeHtml } from '../../core/words.ts';
import { isOtherRequest } from './api.ts';
import type { Api } from './api.ts';
import { hasMark } from './audits.ts';
import { STANDARD } from './config.ts';
import type { Config } from './config.ts';

/** A comment takes 64 KB; some of it is left for what Zendesk wraps around it. */
const COMMENT_BYTES = 60_000;
const SUBJECT_LENGTH = 255;
const NAME_LENGTH = 255;
const LARGEST_FILE = 50 * 1024 * 1024;

/** What is written into tickets there. */
export function createTickets(config: Config, context: Context, api: Api) {
  /** What Zendesk made of it, also where an earlier try did and its answer was lost. */
  async function create(delivery: Delivery, ticket: object): Promise<TicketRef> {
    try {
      return refOf(config, (await api.create(ticket, delivery.id)).id);
    } catch (error) {
      if (!isOtherRequest(error)) throw error;
      // An earlier try came through; what it said differs (other uploads), so its answer isn't repeated.
      const found = await find(delivery.ticket);
      if (found) return found;
      throw new RetryableError('Zendesk knows this ticket from an earlier try, and does not show it yet', {
        cause: error,
        outcomeUnknown: true,
      });
    }
  }

  async function find({ id }: Ticket): Promise<TicketRef | undefined> {
    const [first] = (await api.ticketsNamed(id)).sort((a, b) => Number(a.id) - Number(b.id));
    return first && refOf(config, first.id);
  }

  async function comment(id: string, delivery: Delivery, author: string | null | undefined): Promise<void> {
    const { uploads, unsent } = await upload(api, delivery);
    const said = toComment(context, delivery, unsent);
    await api.update(id, {
      comment: { ...said, ...(isCustomers(delivery) && author && { author_id: Number(author) }), uploads },
      metadata: { tributary: markOf(delivery.message) },
    });
  }

  /**
   * A closed ticket takes nothing any more: a follow-up does, made by us or, where the answer of an earlier try was
   * lost, found.
   */
  async function followUp(closed: string, delivery: Delivery): Promise<TicketRef> {
    const later = (await api.ticketsNamed(delivery.ticket.id))
      .filter(({ id, status }) => Number(id) > Number(closed) && status !== 'closed')
      .sort((a, b) => Number(b.id) - Number(a.id))[0];
    if (later) {
      if (!(await hasMark(api, later.id, delivery.message))) await comment(later.id, delivery, later.requester_id);
      return refOf(config, later.id);
    }
    return create(delivery, { ...(await whole(delivery)), via_followup_source_id: Number(closed) });
  }

  async function whole(delivery: Delivery): Promise<object> {
    const { uploads, unsent } = await upload(api, delivery);
    const requester = await requesterOf(api, delivery.customer);
    const { comment: said, ...rest } = toTicket(config, context, delivery, unsent);
    return {
      ...rest,
      requester_id: Number(requester),
      // Who submits a ticket is the author of its first comment.
      ...(isCustomers(delivery) && { submitter_id: Number(requester) }),
      comment: { ...said, uploads },
    };
  }

  return {
    findTicket: find,
    createTicket: async (delivery: Delivery) => create(delivery, await whole(delivery)),
    /** Where the ticket goes on, if that isn't where it was. */
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<TicketRef | undefined> {
      const there = await api.ticket(externalId);
      if (there.status === 'closed') return followUp(externalId, delivery);
      await comment(externalId, delivery, there.requester_id);
      return undefined;
    },
  };
}

/** What a ticket is made of, without what must be asked for: its requester and the tokens of its files. */
export function toTicket(
  config: Config,
  context: Pick<Context, 'publicUrl'>,
  delivery: Delivery,
  unsent: ReadonlyMap<string, string>,
) {
  const { ticket } = delivery;
  const { custom, standard } = fieldsOf(config, delivery);
  const tags = [...new Set([...config.tags, ...ticket.tags.map(toTag)])];
  return {
    subject: subjectOf(ticket),
    external_id: ticket.id,
    ...(ticket.status !== 'new' && { status: toTheirs(config.statuses, ticket.status) }),
    priority: toTheirs(config.priorities, ticket.priority),
    ...(tags.length > 0 && { tags }),
    ...(custom.length > 0 && { custom_fields: custom }),
    ...standard,
    comment: toComment(context, delivery, unsent),
    metadata: { tributary: markOf(delivery.message) },
  };
}

export function refOf({ subdomain }: Config, id: string): TicketRef {
  return { externalId: id, url: `https://${subdomain}.zendesk.com/agent/tickets/${id}` };
}

function toComment({ publicUrl }: Pick<Context, 'publicUrl'>, delivery: Delivery, unsent: ReadonlyMap<string, string>) {
  const { ticket } = delivery;
  // A subject that is cut there stands whole in the comment.
  const said = { ...delivery, ticket: { ...ticket, subject: subjectOf(ticket) } };
  return {
    html_body: toSafeHtml(said, { publicUrl, max: COMMENT_BYTES, unsent }),
    public: !isInternal(delivery.message),
  };
}

function subjectOf({ subject, number }: Ticket): string {
  return cut(subject.trim() || `#${number}`, SUBJECT_LENGTH);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}

function isCustomers({ message }: { readonly message: Message }): boolean {
  return message.direction === 'inbound';
}

/** Tags are words of small letters there. */
function toTag(tag: string): string {
  return tag.toLowerCase().replaceAll(/[^\p{L}\p{N}_:/-]/gu, '_');
}

function fieldsOf(config: Config, delivery: Delivery) {
  const custom: { id: number; value: string | string[] }[] = [];
  const standard: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(mapFields(config.fields, delivery))) {
    const kind = STANDARD[name];
    if (kind === undefined) custom.push({ id: Number(name), value });
    else standard[name] = kind === 'number' ? numberOf(name, value) : String(value);
  }
  return { custom, standard };
}

function numberOf(name: string, value: string | string[]): number {
  const text = String(value);
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new PermanentError(`the mapping gives ${name} the value ${JSON.stringify(text.slice(0, 100))}, not a number`, {
    hint: 'Correct `fields` in the configuration, then replay this delivery.',
  });
}

/** Uploads what is stored; what Zendesk doesn't take is named in the comment, with a link, rather than losing it. */
async function upload(api: Api, delivery: Delivery) {
  const uploads: string[] = [];
  const unsent = new Map<string, string>();
  for (const { id, name, mediaType, size, state } of delivery.message.attachments) {
    if (state !== 'stored') continue;
    if ((size ?? 0) > LARGEST_FILE) {
      unsent.set(id, 'Zendesk takes files of up to 50 MB');
      continue;
    }
    try {
      uploads.push(await api.upload(name, typeOf(mediaType), await buffer(await delivery.open(id))));
    } catch (error) {
      if (!(error instanceof PermanentError) || error.gone) throw error;
      unsent.set(id, 'Zendesk did not take it');
    }
  }
  return { uploads, unsent };
}

function typeOf(mediaType: string): string {
  return /^[\w.+-]+\/[\w.+-]+/.exec(mediaType.toLowerCase())?.[0] ?? 'application/octet-stream';
}

/**
 * The customer as Zendesk knows him, by the address that a platform carries, else by our id. Looked for first, since
 * saving a user gives him our name for him: those whom agents have named stay as they are.
 */
async function requesterOf(api: Api, customer: Customer): Promise<string> {
  const email = contactOf(customer, 'email');
  const users = await (email ? api.usersNamed('query', `email:${email}`) : api.usersNamed('external_id', customer.id));
  const found = users.find((user) =>
    email ? user.email?.toLowerCase() === email.toLowerCase() : user.external_id === customer.id,
  );
  if (found) return found.id;
  const named = customer.name ?? email ?? contactOf(customer, 'phone') ?? 'Customer without a name';
  const key = email ? { email } : { external_id: customer.id };
  // Otherwise Zendesk writes to him that he has an account now.
  return (await api.saveUser({ name: cut(named, NAME_LENGTH), ...key, skip_verify_email: true })).id;
}
