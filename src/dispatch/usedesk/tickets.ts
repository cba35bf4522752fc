import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { PermanentError, UncertainError } from '../../core/errors.ts';
import { contactOf, mapFields, toTheirs } from '../../core/field-mapping.ts';
import { markIn, markOf, withMark } from '../../core/mark.ts';
import { sendWithFiles } from '../../core/sendable.ts';
import type { Files } from '../../core/sendable.ts';
import type { Customer, Message, Ticket } from '../../core/ticket.ts';
import type { UploadFile } from '../../core/upload-form.ts';
import { toSafeHtml } from '../../core/words.ts';
import { timeOf } from './api.ts';
import type { Api } from './api.ts';
import { STANDARD } from './config.ts';
import type { Config } from './config.ts';

/** "~64 kB". */
const TEXT_BYTES = 60_000;
/** Of a subject, a name, the tags together, and the value of a field. */
const LINE_LENGTH = 255;
/** All files of a comment together; how many Usedesk takes isn't documented. */
const LIMIT = { max: 20 * 1024 * 1024, taker: 'Usedesk' };
/** Tickets of one customer that are looked into. */
const MOST_LOOKED = 50;
/** How far Usedesk's clock may be behind ours. */
const SKEW_MS = 60 * 60_000;

type Unsent = ReadonlyMap<string, string>;

/** What is written into tickets there. */
export function createTickets(config: Config, context: Context, api: Api) {
  /** Those who have our address for a customer: one, but for a lost answer. */
  async function clientsOf(customerId: string) {
    const address = addressOf(config, customerId);
    return (await api.clients(address)).filter(({ emails }) => wordsIn(emails).includes(address));
  }

  /** Looked for first: whom agents have named stays as he is. */
  async function clientOf(customer: Customer): Promise<string> {
    const [found] = await clientsOf(customer.id);
    if (found) return found.id;
    const named = customer.name ?? contactOf(customer, 'email') ?? contactOf(customer, 'phone');
    const name = cut(named?.trim() || 'Customer without a name', LINE_LENGTH);
    return api.makeClient({ name, emails: [addressOf(config, customer.id)] });
  }

  return {
    /**
     * Nothing filters by our id, which only the whole ticket says: the customer's are looked into, newest first, as far as
     * ours can be. Of several the first one.
     */
    async findTicket({ id, customer, createdAt }: Ticket): Promise<TicketRef | undefined> {
      const all = (await clientsOf(customer.id)).flatMap(({ tickets }) => tickets ?? []);
      const newest = [...new Set(all)].sort((a, b) => Number(b) - Number(a));
      let found: string | undefined;
      for (const [index, each] of newest.entries()) {
        if (index >= MOST_LOOKED) {
          if (found !== undefined) break;
          throw new UncertainError('the customer has more new tickets in Usedesk than can be looked through', {
            hint: 'Look there; replay the delivery if the ticket is missing.',
          });
        }
        const there = await api.ticket(each).catch(unlessGone);
        if (there?.ticket.additional_id === id) found = each;
        if (there && timeOf(there.ticket.published_at) < Date.parse(createdAt) - SKEW_MS) break;
      }
      return found === undefined ? undefined : refOf(config, found);
    },
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const client = Number(await clientOf(delivery.customer));
      const id = await sendWithFiles(delivery, LIMIT, ({ unsent, sent }) =>
        api.create({ ...toTicket(config, context, delivery, unsent), client_id: client }, uploadsOf(sent)),
      );
      return refOf(config, id);
    },
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<void> {
      const whose = isCustomers(delivery)
        ? { type: 'public', from: 'client' }
        : { type: 'private', from: 'user', user_id: config.user };
      await sendWithFiles(delivery, LIMIT, ({ unsent, sent }) => {
        const comment = { ticket_id: Number(externalId), ...whose, message: toWords(context, delivery, unsent) };
        return api.comment(comment, uploadsOf(sent));
      });
    },
    async hasMessage({ externalId }: TicketRef, message: Message): Promise<boolean> {
      const mark = markOf(message);
      return (await api.ticket(externalId)).comments.some((each) => markIn(each.message ?? '') === mark);
    },
  };
}

/** It was deleted there. Of one that is refused otherwise nobody can say whether it is ours. */
function unlessGone(error: unknown): undefined {
  if (!(error instanceof PermanentError) || error.gone) throw error;
  if (error.response?.status === 404) return undefined;
  throw new UncertainError(`a ticket of the customer can not be looked into: ${error.message}`, {
    cause: error,
    hint: 'Look in Usedesk; replay the delivery if the ticket is missing.',
  });
}

/** What a ticket is made of, without its client, who must be asked for. */
export function toTicket(
  config: Config,
  context: Pick<Context, 'publicUrl'>,
  delivery: Delivery,
  unsent: Unsent,
): Record<string, unknown> {
  const { ticket } = delivery;
  const tags = tagsOf([...config.tags, ...ticket.tags]);
  const whose = isCustomers(delivery)
    ? { from: 'client' }
    : { from: 'user', user_id: config.user, private_comment: true };
  return {
    ...fieldsOf(config, delivery),
    subject: subjectOf(ticket),
    message: toWords(context, delivery, unsent),
    channel_id: config.channel,
    additional_id: ticket.id,
    status: Number(toTheirs(config.statuses, ticket.status)),
    priority: toTheirs(config.priorities, ticket.priority),
    ...(tags !== '' && { tag: tags }),
    ...whose,
  };
}

function refOf({ apiRoot }: Config, id: string): TicketRef {
  const { hostname, origin } = new URL(apiRoot);
  const web = hostname === 'api.usedesk.ru' ? 'https://secure.usedesk.ru' : origin;
  return { externalId: id, url: `${web}/tickets/${encodeURIComponent(id)}` };
}

/** What the customer wrote himself: whatever else is public is sent to him by Usedesk, so it is private. */
function isCustomers({ message }: Delivery): boolean {
  return message.direction === 'inbound';
}

function toWords({ publicUrl }: Pick<Context, 'publicUrl'>, delivery: Delivery, unsent: Unsent): string {
  const { ticket, message } = delivery;
  // A subject that is cut there stands whole in the words.
  const said = { ...delivery, ticket: { ...ticket, subject: subjectOf(ticket) } };
  const words = withMark(toSafeHtml(said, { publicUrl, max: TEXT_BYTES, unsent }), { publicUrl, ticket, message });
  // `[~ivan@example.com]` calls for an agent, which is nothing for strangers to do. No byte more, for the text may be full.
  return words.replaceAll('[~', '(~');
}

/** Without his own address: what agents answer may be mailed to it, and goes through the gateway already. */
function addressOf({ addressDomain }: Config, customerId: string): string {
  return `${customerId}@${addressDomain}`;
}

function wordsIn(emails: unknown): string[] {
  return JSON.stringify(emails ?? '')
    .toLowerCase()
    .split(/[^a-z0-9@._-]/);
}

function uploadsOf(files: Files['sent']): UploadFile[] {
  return files.map((file) => ({ field: 'files[]', ...file }));
}

function subjectOf({ subject, number }: Ticket): string {
  return cut(subject.trim() || `#${number}`, LINE_LENGTH);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}

/** As many as the line holds. */
function tagsOf(tags: readonly string[]): string {
  const all = [...new Set(tags.map((tag) => tag.replaceAll(',', ' ').trim()))].filter((tag) => tag !== '');
  return all.reduce((line, tag) => {
    const longer = line === '' ? tag : `${line}, ${tag}`;
    return longer.length > LINE_LENGTH ? line : longer;
  }, '');
}

function fieldsOf(config: Config, delivery: Delivery): Record<string, string | number> {
  const [ids, texts]: [string[], string[]] = [[], []];
  const standard: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(mapFields(config.fields, delivery))) {
    const text = [value].flat().join(', ');
    if (Object.hasOwn(STANDARD, name)) standard[name] = STANDARD[name] === 'number' ? numberOf(name, text) : text;
    else {
      ids.push(name);
      // It is what separates them.
      texts.push(cut(text.replaceAll(';', ','), LINE_LENGTH));
    }
  }
  return { ...standard, ...(ids.length > 0 && { field_id: ids.join(';'), field_value: texts.join(';') }) };
}

function numberOf(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new PermanentError(`the mapping gives ${name} the value ${JSON.stringify(text.slice(0, 100))}, not a number`, {
    hint: 'Correct `fields` in the configuration, then replay this delivery.',
  });
}
