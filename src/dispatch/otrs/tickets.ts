import { buffer } from 'node:stream/consumers';
import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { contactOf, mapFields, toTheirs } from '../../core/field-mapping.ts';
import { sendable } from '../../core/sendable.ts';
import { isInternal, type Customer, type Message, type Ticket } from '../../core/ticket.ts';
import { toPlainText } from '../../core/words.ts';
import { refusalOf } from './api.ts';
import type { Api } from './api.ts';
import { STANDARD } from './config.ts';
import type { Config } from './config.ts';
import { hasMark, historyNameOf, ourIdIn, placeOf } from './history.ts';

const BODY_BYTES = 500_000;
const TITLE_LENGTH = 255;
const TAKER = 'The help desk';

/** Who wrote, as the help desk knows him. */
interface Requester {
  readonly user: string;
  readonly from?: string;
}

type File = { readonly Filename: string; readonly ContentType: string; readonly Content: string };
type Unsent = ReadonlyMap<string, string>;

/** What is written into tickets there. */
export function createTickets(config: Config, context: Context, api: Api) {
  /** An address that the help desk doesn't take (it may ask the DNS for it) must not keep a message out. */
  async function as<T>(requester: Requester, write: (as: Requester) => Promise<T>): Promise<T> {
    try {
      return await write(requester);
    } catch (error) {
      const { code, text } = refusalOf(error) ?? {};
      const isHim = code === 'InvalidParameter' && /->(CustomerUser|From) /.test(text ?? '');
      if (!isHim || requester.from === undefined) throw error;
      return write({ user: config.customerUser });
    }
  }

  async function find({ id }: Ticket): Promise<TicketRef | undefined> {
    const ids = await api.search({ Equals: id }, { SortBy: 'Age', OrderBy: 'Up', Limit: 20 });
    if (ids.length === 0) return undefined;
    // Where there is no such field, it is left out of the search without a word, and all tickets are found.
    const found = (await api.tickets(ids, { DynamicFields: 1 })).find((each) => ourIdIn(each, config.idField) === id);
    return found && refOf(config, found.TicketID);
  }

  return {
    findTicket: find,
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const { files, unsent } = await readFiles(config, delivery);
      const create = (requester: Requester) =>
        api.create({
          ...toTicket(config, context, delivery, { requester, unsent }),
          ...(files.length > 0 && { Attachment: files }),
        });
      return refOf(config, await as(requesterOf(config, delivery.customer), create));
    },
    /** Where the ticket goes on, if that isn't where it was: agents merged it into another one. */
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<TicketRef | undefined> {
      const there = await placeOf(api, externalId);
      const owner = ourIdIn(there, config.idField);
      const moves = there.TicketID !== externalId && (owner === '' || owner === delivery.ticket.id);
      const { files, unsent } = await readFiles(config, delivery);
      await as(requesterOf(config, delivery.customer), ({ from }) =>
        api.update(there.TicketID, {
          Article: toArticle(context, delivery, { from, unsent, isFirst: false }),
          ...(moves && { DynamicField: [{ Name: config.idField, Value: delivery.ticket.id }] }),
          ...(files.length > 0 && { Attachment: files }),
        }),
      );
      // One that belongs to another ticket of ours already keeps its name.
      return moves ? refOf(config, there.TicketID) : undefined;
    },
    async hasMessage({ externalId }: TicketRef, message: Message): Promise<boolean> {
      const { TicketID: place } = await placeOf(api, externalId);
      return hasMark(api, [...new Set([externalId, place])], message);
    },
  };
}

/** What `TicketCreate` is given, without credentials and files. */
export function toTicket(
  config: Config,
  context: Pick<Context, 'publicUrl'>,
  delivery: Delivery,
  { requester, unsent }: { readonly requester: Requester; readonly unsent: Unsent },
) {
  const { ticket } = delivery;
  const mapped = Object.entries(mapFields(config.fields, delivery));
  const standard = mapped.filter(([name]) => STANDARD.has(name)).map(([name, value]) => [name, String(value)] as const);
  const dynamic = mapped.filter(([name]) => !STANDARD.has(name) && name !== config.idField);
  return {
    Ticket: {
      Title: titleOf(ticket),
      Queue: config.queue,
      ...stateOf(config, ticket.status),
      Priority: toTheirs(config.priorities, ticket.priority),
      CustomerUser: requester.user,
      ...Object.fromEntries(standard),
    },
    Article: toArticle(context, delivery, { from: requester.from, unsent, isFirst: true }),
    DynamicField: [
      { Name: config.idField, Value: ticket.id },
      ...dynamic.map(([name, value]) => ({ Name: name, Value: value })),
    ],
  };
}

/** A pending state without a time would have been due in 1970. */
export function stateOf(config: Config, status: Ticket['status']) {
  const time = status === 'pending' ? { PendingTime: { Diff: config.pendingMinutes } } : {};
  return { State: toTheirs(config.statuses, status), ...time };
}

function toArticle(
  { publicUrl }: Pick<Context, 'publicUrl'>,
  delivery: Delivery,
  { from, unsent, isFirst }: { readonly from: string | undefined; readonly unsent: Unsent; readonly isFirst: boolean },
) {
  const { ticket, message } = delivery;
  const isCustomers = message.direction === 'inbound' && message.kind !== 'note';
  // A title that is cut there stands whole in the article.
  const said = { ...delivery, ticket: { ...ticket, subject: titleOf(ticket) } };
  return {
    // Nothing is mailed by writing one.
    CommunicationChannel: 'Internal',
    IsVisibleForCustomer: isInternal(message) ? 0 : 1,
    SenderType: isCustomers ? 'customer' : 'agent',
    ...(isCustomers && from !== undefined && { From: from }),
    Subject: titleOf(ticket),
    Body: toPlainText(said, { publicUrl, max: BODY_BYTES, unsent }),
    ContentType: 'text/plain; charset=utf-8',
    // What tells agents that a customer wrote.
    HistoryType: !isCustomers ? 'AddNote' : isFirst ? 'WebRequestCustomer' : 'FollowUp',
    HistoryComment: historyNameOf(message),
  };
}

export function refOf({ apiRoot }: Config, id: string): TicketRef {
  const [root, service] = apiRoot.split('/nph-genericinterface.pl', 2);
  const url = `${root}/index.pl?Action=AgentTicketZoom;TicketID=${encodeURIComponent(id)}`;
  return { externalId: id, ...(service !== undefined && { url }) };
}

/** Perl takes '0' for nothing. */
function titleOf({ subject, number }: Ticket): string {
  const line = subject.replaceAll(/\s+/g, ' ').trim();
  if (line === '' || line === '0') return `#${number}`;
  return line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH - 1).toWellFormed()}…` : line;
}

/**
 * By the address that a platform carries: the customer user who has it, or the address itself. There is no operation
 * that makes customer users.
 */
export function requesterOf({ customerUser }: Config, customer: Customer): Requester {
  const email = contactOf(customer, 'email');
  if (email === undefined) return { user: customerUser };
  const name = (customer.name ?? '').replaceAll(/[\p{Cc}"\\<>]/gu, ' ').trim();
  return { user: email, from: name === '' ? email : `"${name}" <${email}>` };
}

async function readFiles({ maxAttachmentBytes: max }: Config, delivery: Delivery) {
  const { sending, unsent } = sendable(delivery.message, { max, taker: TAKER });
  const files: File[] = [];
  for (const { id, name, mediaType } of sending) {
    const bytes = await buffer(await delivery.open(id));
    files.push({ Filename: name || 'file', ContentType: typeOf(mediaType), Content: bytes.toString('base64') });
  }
  return { files, unsent };
}

/** It looks at the words around the slash, and refuses the whole message where there are none. */
function typeOf(mediaType: string): string {
  return /^\w+\/\w[\w.+-]*/.exec(mediaType.toLowerCase())?.[0] ?? 'application/octet-stream';
}
