import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { isRefused } from '../../core/errors.ts';
import { contactOf, mapFields, toTheirs } from '../../core/field-mapping.ts';
import { markOf } from '../../core/mark.ts';
import { sendWithFiles } from '../../core/sendable.ts';
import type { Files } from '../../core/sendable.ts';
import { isInternal, type Customer, type Message, type Ticket } from '../../core/ticket.ts';
import { toSafeHtml } from '../../core/words.ts';
import type { Api, Line, Ticket as Theirs } from './api.ts';
import type { Config } from './config.ts';

const BODY_BYTES = 500_000;
const TITLE_LENGTH = 250;
const NAME_LENGTH = 100;
/** A ticket that was merged may lie in one that was merged too. */
const MOST_MERGED = 5;
/** The state of a ticket whose articles lie in another one. */
export const MERGED = 'merged';

/** What is written into tickets there. */
export function createTickets(config: Config, context: Context, api: Api) {
  const limit = { max: config.maxAttachmentBytes, taker: 'Zammad' };

  /** An address that Zammad doesn't take must not keep a message out: then he is known by our id. */
  async function make(delivery: Delivery, files: Files): Promise<Theirs> {
    const { customer } = delivery;
    const write = (known: Customer) =>
      api.create(toTicket(config, context, delivery, { files, customer: customerOf(known) }), files.sent.length);
    try {
      return await write(customer);
    } catch (error) {
      if (!isRefused(error, 422) || contactOf(customer, 'email') === undefined) throw error;
      return write({ ...customer, identifiers: customer.identifiers.filter(({ kind }) => kind !== 'email') });
    }
  }

  /** The ticket itself, or the one that agents merged it into. */
  async function placeOf(id: string): Promise<Theirs> {
    let place = await api.ticket(id);
    for (let i = 0; i < MOST_MERGED && place.state === MERGED; i++) {
      const { history } = await api.history(place.id);
      const next = history.findLast(isMerge)?.id_to;
      if (!next) break;
      place = await api.ticket(next);
    }
    return place;
  }

  return {
    async findTicket({ id }: Ticket): Promise<TicketRef | undefined> {
      const found = await api.search({ [`ticket.${config.idField}`]: { operator: 'is', value: id } }, 1);
      // Where agents split a ticket, the new one may have its id too.
      const [ours] = found.filter((each) => each[config.idField] === id).sort((a, b) => Number(a.id) - Number(b.id));
      return ours && refOf(config, ours.id);
    },
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const made = await sendWithFiles(delivery, limit, (files) => make(delivery, files));
      if (made[config.idField] !== delivery.ticket.id) {
        context.log.warn(
          { attribute: config.idField },
          'tickets have no such attribute, so none is found again: in Zammad, Objects, Ticket, add it as a text, and update the database',
        );
      }
      return refOf(config, made.id);
    },
    /** Where the ticket goes on, if that isn't where it was: agents merged it into another one. */
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<TicketRef | undefined> {
      const there = await placeOf(externalId);
      const owner = there[config.idField];
      const moves = there.id !== externalId && (!isOurs(owner) || owner === delivery.ticket.id);
      // Before the message: what is written first may be written twice.
      if (moves && owner !== delivery.ticket.id) await api.update(there.id, { [config.idField]: delivery.ticket.id });
      await sendWithFiles(delivery, limit, (files) =>
        api.add(
          {
            ticket_id: Number(there.id),
            ...toArticle(context, delivery, files),
            ...(isCustomers(delivery.message) &&
              there.customer_id !== '' && { origin_by_id: Number(there.customer_id) }),
          },
          files.sent.length,
        ),
      );
      // One that belongs to another ticket of ours already keeps its name.
      return moves ? refOf(config, there.id) : undefined;
    },
    async hasMessage({ externalId }: TicketRef, message: Message): Promise<boolean> {
      return (await api.marks((await placeOf(externalId)).id)).includes(messageIdOf(message));
    },
  };
}

/** Where a ticket's history ends: it lies in another one. */
export function isMerge({ type }: Line): boolean {
  return type === 'merged_into';
}

/** Tickets that we made carry our id. */
export function isOurs(id: unknown): id is string {
  return typeof id === 'string' && id.startsWith('tkt_');
}

/** What a ticket is made of. */
export function toTicket(
  config: Config,
  context: Pick<Context, 'publicUrl' | 'clock'>,
  delivery: Delivery,
  { files, customer }: { readonly files: Files; readonly customer: object },
) {
  const { ticket } = delivery;
  const tags = [...new Set([...config.tags, ...ticket.tags.map((tag) => tag.replaceAll(',', ' '))])];
  return {
    title: titleOf(ticket),
    group: config.group,
    customer,
    ...stateOf(config, ticket.status, context.clock.now()),
    priority: toTheirs(config.priorities, ticket.priority),
    ...(tags.length > 0 && { tags: tags.join(',') }),
    ...mapFields(config.fields, delivery),
    [config.idField]: ticket.id,
    article: toArticle(context, delivery, files),
  };
}

/** A pending state needs a time there. */
export function stateOf(config: Config, status: Ticket['status'], now: number) {
  const until = new Date(now + config.pendingMinutes * 60_000).toISOString();
  return { state: toTheirs(config.statuses, status), ...(status === 'pending' && { pending_time: until }) };
}

function toArticle({ publicUrl }: Pick<Context, 'publicUrl'>, delivery: Delivery, { sent, unsent }: Files) {
  const { ticket, message } = delivery;
  // A title that is cut there stands whole in the article.
  const said = { ...delivery, ticket: { ...ticket, subject: titleOf(ticket) } };
  const attachments = sent.map(({ name, mediaType, bytes }) => ({
    filename: name || 'file',
    data: bytes.toString('base64'),
    'mime-type': mediaType || 'application/octet-stream',
  }));
  return {
    body: toSafeHtml(said, { publicUrl, max: BODY_BYTES, unsent }),
    content_type: 'text/html',
    // A note is mailed to nobody, neither by Zammad nor by the triggers that it comes with.
    type: 'note',
    sender: isCustomers(message) ? 'Customer' : 'Agent',
    internal: isInternal(message),
    message_id: messageIdOf(message),
    ...(attachments.length > 0 && { attachments }),
  };
}

const SIGN = '@tributary.invalid>';

/** Agents don't see it. */
function messageIdOf(message: Message): string {
  return `<${markOf(message)}${SIGN}`;
}

export function isMarked(messageId: string): boolean {
  return messageId.endsWith(SIGN);
}

function refOf({ apiRoot }: Config, id: string): TicketRef {
  return { externalId: id, url: `${apiRoot}/#ticket/zoom/${id}` };
}

/** Found by it, or made with it, in the same call. Without an address: by our id, which no mail can be sent to. */
export function customerOf(customer: Customer) {
  const email = contactOf(customer, 'email');
  const phone = contactOf(customer, 'phone');
  const name = customer.name ?? email ?? phone ?? 'Customer without a name';
  return {
    ...(email === undefined ? { login: `tributary-${customer.id}`.toLowerCase() } : { email: email.toLowerCase() }),
    firstname: cut(name, NAME_LENGTH),
    ...(phone !== undefined && { phone: cut(phone, NAME_LENGTH) }),
  };
}

function isCustomers({ direction, kind }: Message): boolean {
  return direction === 'inbound' && kind !== 'note';
}

function titleOf({ subject, number }: Ticket): string {
  return cut(subject.replaceAll(/\s+/g, ' ').trim() || `#${number}`, TITLE_LENGTH);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}
