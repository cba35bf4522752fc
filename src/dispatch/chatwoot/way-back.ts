import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Context, Fetching } from '../../core/connector.ts';
import type { Attachment } from '../../core/envelope.ts';
import { ignored } from '../../core/envelope.ts';
import { RetryableError, isRefused } from '../../core/errors.ts';
import { toOurs, toTheirs } from '../../core/field-mapping.ts';
import { pollMoved } from '../../core/moved-tickets.ts';
import { ticketStatuses } from '../../core/ticket.ts';
import type { TicketStatus } from '../../core/ticket.ts';
import { Conversation, Message } from './api.ts';
import type { Api, File } from './api.ts';
import { STATUS, TICKET } from './config.ts';
import type { Config } from './config.ts';
import { isOurs, pagesOf, written } from './conversations.ts';
import { fromMarkdown } from './markdown.ts';

const MOST_PAGES = 400;
const LARGEST_FILE = 100 * 1024 * 1024;
const TO_CUSTOMER = 1;
const ACTIVITY = 2;
/** Of a file only its kind is said, and its name. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['gif', 'image/gif'],
  ['jpeg', 'image/jpeg'],
  ['jpg', 'image/jpeg'],
  ['m4a', 'audio/mp4'],
  ['mp3', 'audio/mpeg'],
  ['mp4', 'video/mp4'],
  ['ogg', 'audio/ogg'],
  ['pdf', 'application/pdf'],
  ['png', 'image/png'],
  ['webm', 'video/webm'],
  ['webp', 'image/webp'],
]);

/** What a poll hands over of one conversation: what is new in it, oldest first, and how it stands. */
const Told = z.object({ conversation: Conversation, messages: z.array(Message) });
type Told = z.output<typeof Told>;

/** What changed in our conversations since it was last asked. */
export function createPoll({ clock }: Pick<Context, 'clock'>, api: Api): NonNullable<Fetching['poll']> {
  return pollMoved(clock, {
    movedSince: async (since, signal) =>
      (await movedSince(api, since, signal)).map((conversation) => ({
        id: conversation.id,
        at: movedAt(conversation),
        isOurs: isTicket(conversation),
        conversation,
      })),
    async look({ id, conversation }, { known, unread }, signal) {
      const isNew = (message: Message) =>
        known === undefined ? message.created_at * 1000 >= unread : Number(message.id) > Number(known);
      const all: Message[] = [];
      try {
        for await (const page of pagesOf(api, id, signal)) {
          all.unshift(...page);
          if (page.some((message) => !isNew(message))) break;
        }
        const messages = all.filter(isNew);
        // What was listed may be older than a line that says that the status was changed.
        const isMoved = messages.some(({ message_type: type }) => type === ACTIVITY);
        const told: Told = { conversation: isMoved ? await api.conversation(id, signal) : conversation, messages };
        const items = messages.length > 0 ? [{ body: Buffer.from(JSON.stringify(told)) }] : [];
        return { items, known: all.at(-1)?.id ?? known ?? '0' };
      } catch (error) {
        // It was deleted meanwhile.
        if (!isRefused(error, 404)) throw error;
        return { items: [], known: known ?? '0' };
      }
    },
  });
}

/** One that we made. */
export function isTicket({ custom_attributes: attributes }: Pick<Conversation, 'custom_attributes'>): boolean {
  const id = attributes?.[TICKET];
  return typeof id === 'string' && id.startsWith('tkt_');
}

function movedAt({ last_activity_at: at }: Conversation): number {
  return (at ?? 0) * 1000;
}

async function movedSince(api: Api, since: number, signal: AbortSignal): Promise<Conversation[]> {
  const found = new Map<string, Conversation>();
  for (let page = 1; page <= MOST_PAGES; page++) {
    const conversations = await api.list(page, signal);
    for (const each of conversations) if (movedAt(each) >= since) found.set(each.id, each);
    if (conversations.length === 0 || conversations.some((each) => movedAt(each) < since)) return [...found.values()];
  }
  throw new RetryableError('more conversations of Chatwoot moved than can be looked through');
}

export function toActions(config: Config, given: unknown): ActionInput[] {
  const { conversation, messages } = Told.parse(given);
  const last = messages.findLast((message) => message.message_type === ACTIVITY);
  return messages.map((message) =>
    message === last ? statusOf(config, conversation, message) : saidOf(conversation.id, message),
  );
}

/**
 * The status of a conversation in our words. Where what it was told last is called so there, it is that one: solved and
 * closed are the same there, as are new and open. What nobody answered yet is still new. Undefined: nothing of ours.
 */
export function standingOf({ statuses }: Config, conversation: Conversation): TicketStatus | undefined {
  const told = z.enum(ticketStatuses).safeParse(conversation.custom_attributes?.[STATUS]).data;
  if (told === undefined || toTheirs(statuses, written(told)) !== conversation.status) {
    return toOurs(statuses, conversation.status);
  }
  return told === 'new' && hasAnswer(conversation) ? 'open' : told;
}

function hasAnswer({ first_reply_created_at: at }: Conversation): boolean {
  return at != null && at !== 0;
}

/** Whoever changes a status leaves a line that says so, in the account's language: with any such line it is looked at. */
function statusOf(config: Config, conversation: Conversation, { id, created_at: at }: Message): ActionInput {
  const status = standingOf(config, conversation);
  if (status === undefined || status === 'new') return other(`message ${id}`, 'an event, and no status of ours');
  const ticket = conversation.id;
  return { kind: 'status', id: `status:${ticket}:${id}`, ticket, at: at * 1000, agent: 'Chatwoot', status };
}

function saidOf(ticket: string, message: Message): ActionInput {
  const { id, content, sender, attachments } = message;
  const text = fromMarkdown(content ?? '');
  const reason = unsaid(message, text);
  if (reason !== undefined) return other(`message ${id}`, reason);
  return {
    kind: message.private ? 'note' : 'reply',
    id: `message:${id}`,
    ticket,
    at: message.created_at * 1000,
    agent: (sender?.name ?? 'Chatwoot').slice(0, 1000),
    text,
    attachments: (attachments ?? []).map((file) => toAttachment(file, { ticket, message: id })),
  };
}

/** Why it isn't an agent's answer or note. */
function unsaid(message: Message, text: string): string | undefined {
  if (isOurs(message)) return 'ours';
  if (message.message_type === ACTIVITY) return 'an event';
  if (message.message_type !== TO_CUSTOMER) return 'neither an answer nor a note';
  if (message.content_attributes?.deleted) return 'taken back';
  return text === '' && !message.attachments?.length ? 'without words' : undefined;
}

function toAttachment(file: File, { ticket, message }: { readonly ticket: string; readonly message: string }) {
  const path = file.data_url && URL.canParse(file.data_url) ? new URL(file.data_url).pathname : '';
  const name = (nameIn(path) || `file-${file.id}`).slice(0, 1000);
  return {
    id: `${ticket}/${message}/${file.id}`,
    name,
    mediaType: TYPES.get(name.slice(name.lastIndexOf('.') + 1).toLowerCase()) ?? 'application/octet-stream',
    ...(file.file_size != null && { size: file.file_size }),
  };
}

/** The last step of an address is the file's name. */
function nameIn(path: string): string {
  const step = path.slice(path.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

function other(name: string, reason: string): ActionInput {
  return ignored(name, reason) as ActionInput;
}

export async function download(api: Api, { id }: Pick<Attachment, 'id'>): Promise<Readable> {
  const [conversation = '', message = '', file = ''] = id.split('/');
  return api.file(conversation, message, file, LARGEST_FILE);
}
