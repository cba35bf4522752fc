import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { PermanentError, RetryableError, UncertainError, isRefused, textOf } from '../../core/errors.ts';
import { contactOf, mapFields, toTheirs } from '../../core/field-mapping.ts';
import { markOf } from '../../core/mark.ts';
import { sendWithFiles } from '../../core/sendable.ts';
import { hmac } from '../../core/signature.ts';
import { isInternal, type Customer, type Message, type Ticket, type TicketStatus } from '../../core/ticket.ts';
import { toPlainText } from '../../core/words.ts';
import { MESSAGES } from './api.ts';
import type { Api, Conversation, Message as Theirs, Said } from './api.ts';
import { PRIORITIES, STATUS, TICKET } from './config.ts';
import type { Config } from './config.ts';
import { toMarkdown } from './markdown.ts';

/** A message takes 150,000 characters; escapes may double it. */
const TEXT_BYTES = 60_000;
const NAME_LENGTH = 255;
const FIELD_LENGTH = 1500;
/** What Chatwoot takes for one file unless it is told otherwise (MAXIMUM_FILE_UPLOAD_SIZE). */
const LIMIT = { max: 40 * 1024 * 1024, taker: 'Chatwoot' };
const MOST_PAGES = 500;
/** How far Chatwoot's clock may be behind ours. */
const SKEW_MS = 60 * 60_000;
/** What a message of ours is called there, before its mark: nobody can give it that name by hand. */
const OURS = 'tributary:';

type Unsent = ReadonlyMap<string, string>;

/** What is written into conversations there. */
export function createConversations(config: Config, context: Pick<Context, 'publicUrl' | 'key' | 'log'>, api: Api) {
  /** Chatwoot has no key that keeps a second conversation from being made: it has to be seen that there is none. */
  async function find({ id }: Ticket): Promise<Conversation | undefined> {
    const found = await api.named(id).catch(unknownAttribute);
    if (found.some((each) => each.custom_attributes?.[TICKET] !== id)) unknownAttribute();
    return found.sort((a, b) => Number(a.id) - Number(b.id))[0];
  }

  async function has(id: string, isIt: (message: Theirs) => boolean, since: number): Promise<boolean> {
    for await (const page of pagesOf(api, id)) {
      if (page.some(isIt)) return true;
      if ((page[0]?.created_at ?? 0) * 1000 < since) return false;
    }
    return false;
  }
  const hasMessage = (id: string, message: Message) =>
    has(id, ({ source_id: name }) => name === nameOf(message), Date.parse(message.receivedAt) - SKEW_MS);

  async function namesIn(id: string): Promise<ReadonlySet<string>> {
    const names = new Set<string>();
    for await (const page of pagesOf(api, id)) for (const { source_id: name } of page) if (name) names.add(name);
    return names;
  }

  async function begin(delivery: Delivery): Promise<string> {
    const contact = Number(await contactIn(config, api, delivery.customer));
    return api.begin({ ...toConversation(config, context, delivery), contact_id: contact });
  }

  async function say(id: string, delivery: Delivery): Promise<void> {
    await sendWithFiles(delivery, LIMIT, ({ unsent, sent }) =>
      api.say(
        id,
        toMessage(context, delivery, unsent),
        sent.map((file) => ({ field: 'attachments[]', ...file })),
      ),
    );
  }

  /**
   * Behind what was said, which stands there whatever becomes of this: one that is refused is no fault of the message, and
   * one of unknown outcome may simply be set again.
   */
  async function setStatus(id: string, status: string): Promise<void> {
    try {
      await api.setStatus(id, status);
    } catch (error) {
      if (error instanceof RetryableError) {
        throw new RetryableError(error.message, { cause: error, hint: error.hint, response: error.response });
      }
      if (!(error instanceof PermanentError) || error.gone) throw error;
      context.log.warn(
        { conversation: id, status, error: textOf(error) },
        'Chatwoot keeps a conversation in its status',
      );
    }
  }

  return {
    /** One that a try began and did not fill is none yet. */
    async findTicket(ticket: Ticket): Promise<TicketRef | undefined> {
      const there = await find(ticket);
      return there && (await has(there.id, isOurs, 0)) ? refOf(config, there.id) : undefined;
    },
    /** Its message comes last: before it is there, the ticket isn't, and what was begun is gone on with. */
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const { ticket, message } = delivery;
      const there = await find(ticket);
      const id = there?.id ?? (await begin(delivery));
      const said = there ? await namesIn(id) : new Set<string>();
      if (!said.has(nameOf(message))) {
        const { labels, priority } = besides(config, ticket);
        if (labels.length > 0) await api.setLabels(id, labels);
        if (priority !== undefined) await api.setPriority(id, priority);
        const transcript = delivery.transcript.filter((each) => !said.has(nameOf(each)));
        // It has no subject there, so that of a mail stands with the words.
        await say(id, { ...delivery, transcript, ticket: { ...ticket, subject: '' } });
      }
      const status = toTheirs(config.statuses, written(ticket.status));
      if (status !== 'open') await setStatus(id, String(status));
      return refOf(config, id);
    },
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<void> {
      const status = toTheirs(config.statuses, written(delivery.ticket.status));
      // Whatever comes from a customer opens the conversation, also a file that follows, or an edit.
      const opens = delivery.message.direction === 'inbound' && status !== 'open';
      // Where only the status was refused, all of it is tried again.
      if (!opens || !(await hasMessage(externalId, delivery.message))) await say(externalId, delivery);
      if (opens) await setStatus(externalId, String(status));
    },
    hasMessage: ({ externalId }: TicketRef, message: Message) => hasMessage(externalId, message),
  };
}

/** Without Chatwoot knowing the attribute nothing is found, or anything, by the version. */
export function unknownAttribute(error?: unknown): never {
  if (error instanceof Error && !isRefused(error, 422)) throw error;
  throw new PermanentError(`Chatwoot knows no attribute ${TICKET} of conversations`, {
    cause: error,
    hint: `Settings → Custom Attributes: add one for conversations, type text, with the key ${TICKET}.`,
  });
}

/** What was said in a conversation, the newest page first, each page oldest first. */
export async function* pagesOf(api: Api, id: string, signal?: AbortSignal): AsyncGenerator<readonly Theirs[]> {
  let before: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const found = await api.messages(id, before, signal);
    yield found.toSorted((a, b) => Number(a.id) - Number(b.id));
    if (found.length < MESSAGES) return;
    before = String(Math.min(...found.map((each) => Number(each.id))));
  }
  throw new UncertainError(`conversation ${id} has more messages in Chatwoot than can be looked through`);
}

export function isOurs({ source_id: name }: Pick<Theirs, 'source_id'>): boolean {
  return name?.startsWith(OURS) ?? false;
}

function nameOf(message: Message): string {
  return `${OURS}${markOf(message)}`;
}

export function refOf({ apiRoot, accountId }: Config, id: string): TicketRef {
  return { externalId: id, url: `${apiRoot}/app/accounts/${accountId}/conversations/${encodeURIComponent(id)}` };
}

/** What a conversation is made of, without its contact, who must be asked for. */
export function toConversation(config: Config, { key }: Pick<Context, 'key'>, delivery: Delivery) {
  const { ticket } = delivery;
  const fields = Object.entries(mapFields(config.fields, delivery)).map(([name, value]) => [
    name,
    cut([value].flat().join(', '), FIELD_LENGTH),
  ]);
  return {
    inbox_id: config.inboxId,
    // Whoever knows it may read the conversation through Chatwoot's public API: it tells nothing, and can't be guessed.
    source_id: hmac('sha256', key('source_id of Chatwoot'), ticket.id).toString('hex'),
    custom_attributes: {
      ...(Object.fromEntries(fields) as Record<string, string>),
      [TICKET]: ticket.id,
      [STATUS]: ticket.status,
    },
  };
}

/** What is said of a ticket besides. */
export function besides(config: Config, ticket: Ticket) {
  const labels = [...new Set([...config.labels, ...ticket.tags.map(toLabel)])];
  const priority = ticket.priority === 'normal' ? undefined : String(toTheirs(PRIORITIES, ticket.priority));
  return { labels, priority };
}

/** An answer that was given elsewhere goes out there as an agent's would, but by its name it isn't taken for one. */
export function toMessage({ publicUrl }: Pick<Context, 'publicUrl'>, delivery: Delivery, unsent: Unsent): Said {
  const { message } = delivery;
  const said = toPlainText(delivery, { publicUrl, max: TEXT_BYTES, unsent });
  return {
    content: toMarkdown(said),
    message_type: message.direction === 'inbound' ? 'incoming' : 'outgoing',
    ...(isInternal(message) && { private: true }),
    source_id: nameOf(message),
  };
}

/** No ticket is new there. */
export function written(status: TicketStatus): Exclude<TicketStatus, 'new'> {
  return status === 'new' ? 'open' : status;
}

function toLabel(tag: string): string {
  return tag.toLowerCase().replaceAll(/[^\p{L}\p{N}_-]/gu, '-');
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}

/** Looked for first: whom agents have named stays as he is. */
async function contactIn({ contacts, inboxId }: Config, api: Api, customer: Customer): Promise<string> {
  const [email, phone] = [contactOf(customer, 'email')?.toLowerCase(), contactOf(customer, 'phone')];
  const address = contacts === 'by_email' ? email : undefined;
  const found = await contactOfOurs(api, customer.id, address);
  if (found !== undefined) return found;
  const named = cut(customer.name ?? email ?? phone ?? 'Customer without a name', NAME_LENGTH);
  const made = { inbox_id: inboxId, name: named, identifier: customer.id, ...(address && { email: address }) };
  try {
    return await api.makeContact({ ...made, ...(phone && { phone_number: phone }) });
  } catch (error) {
    if (!isRefused(error, 422)) throw error;
    // Made meanwhile; or another contact has the number.
    return (await contactOfOurs(api, customer.id, address)) ?? api.makeContact(made);
  }
}

async function contactOfOurs(api: Api, id: string, address: string | undefined): Promise<string | undefined> {
  const mailed = address ? await api.contacts('email', address) : [];
  const found = mailed.find(({ email }) => email?.toLowerCase() === address);
  return (found ?? (await api.contacts('identifier', id)).find(({ identifier }) => identifier === id))?.id;
}
