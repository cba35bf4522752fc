import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Attachment } from '../../core/envelope.ts';
import type { Context, Fetching, Raw } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { NotFoundError, PermanentError } from '../../core/errors.ts';
import { toOurs, toTheirs } from '../../core/field-mapping.ts';
import { htmlToText } from '../../core/html-text.ts';
import { markIn } from '../../core/mark.ts';
import { pollMoved } from '../../core/moved-tickets.ts';
import { Conversation, PAGE } from './api.ts';
import type { Api, File, Ticket } from './api.ts';
import type { Config } from './config.ts';
import { pagesOf } from './tickets.ts';

const MOST_PAGES = 300;
const MOST_NAMES = 1000;
const LARGEST_FILE = 100 * 1024 * 1024;
/** Kinds of conversations (https://developers.freshdesk.com/api/#conversations) that are meant for the customer. */
const REPLY = 0;
const NOTE = 2;

/** How far a ticket was read. */
const Known = z.object({ conversation: z.number(), status: z.number() });
type Known = z.output<typeof Known>;
const NOTHING = JSON.stringify({ conversation: 0, status: 0 } satisfies Known);

/** What a poll hands over of one ticket: what is new in it, oldest first, and who wrote it. */
const Told = z.object({
  ticket: z.string(),
  /** Whose key it is. */
  me: z.string(),
  status: z.object({ value: z.number(), at: z.string() }).optional(),
  said: z.array(Conversation),
  names: z.record(z.string(), z.string()),
});
type Told = z.output<typeof Told>;

/** What changed in our tickets since it was last asked. */
export function createPoll(
  { idField, statuses }: Config,
  { clock }: Pick<Context, 'clock'>,
  api: Api,
): NonNullable<Fetching['poll']> {
  const names = new Map<string, string>();
  const open = Number(toTheirs(statuses, 'open'));
  let me: string | undefined;

  async function nameOf(id: string, signal: AbortSignal): Promise<string> {
    const known = names.get(id);
    if (known !== undefined) return known;
    // Whoever may not see agents still hears what they say.
    const agent = await api.agent(id, signal).catch(unlessRefused);
    const name = agent?.contact?.name ?? `agent ${id}`;
    if (names.size >= MOST_NAMES) names.clear();
    names.set(id, name);
    return name;
  }

  async function toRaw(told: Omit<Told, 'me' | 'names'>, signal: AbortSignal): Promise<Raw> {
    me ??= (await api.me()).id;
    const authors = told.said.flatMap(({ incoming, user_id: id }) => (incoming || !id || id === me ? [] : [id]));
    const known: Record<string, string> = {};
    for (const id of new Set([...authors, me])) known[id] = await nameOf(id, signal);
    return { body: Buffer.from(JSON.stringify({ ...told, me, names: known } satisfies Told)) };
  }

  return pollMoved(clock, {
    movedSince: async (since, signal) =>
      (await movedSince(api, since, signal)).map(({ id, updated_at: at, custom_fields: fields }) => {
        const name = fields?.[idField];
        return { id, at: Date.parse(at), isOurs: typeof name === 'string' && name.startsWith('tkt_') };
      }),
    async look({ id }, { known, unread }, signal) {
      const before = known === undefined ? undefined : Known.parse(JSON.parse(known));
      const ticket = await api.ticket(id, signal).catch(unlessRefused);
      // It was deleted meanwhile.
      if (!ticket) return { items: [], known: known ?? NOTHING };
      const all = await conversationsOf(api, id, signal);
      const said = all.filter(({ id: own, created_at: at }) =>
        before ? Number(own) > before.conversation : Date.parse(at) >= unread,
      );
      const status = newStatus(ticket, { before: before?.status, unread, open });
      const isNews = said.length > 0 || status !== undefined;
      const items = isNews ? [await toRaw({ ticket: id, said, ...(status && { status }) }, signal)] : [];
      const last = Number(all.at(-1)?.id ?? 0);
      return { items, known: JSON.stringify({ conversation: last, status: ticket.status } satisfies Known) };
    },
  });
}

/** Oldest first. */
async function conversationsOf(api: Api, id: string, signal: AbortSignal): Promise<Conversation[]> {
  const all: Conversation[] = [];
  for await (const page of pagesOf(api, id, signal)) all.push(...page);
  return all.sort((a, b) => Number(a.id) - Number(b.id));
}

/** A ticket's status, where it isn't the one that it had before, or was made with: a ticket that is new here is open there. */
function newStatus(
  { status: value, created_at: made, updated_at: moved, stats }: Ticket,
  { before, unread, open }: { readonly before: number | undefined; readonly unread: number; readonly open: number },
): Told['status'] {
  const at = stats?.status_updated_at ?? moved;
  const isFirst = at === made && value === open;
  const isNew = before === undefined ? Date.parse(at) >= unread && !isFirst : value !== before;
  return isNew ? { value, at } : undefined;
}

async function movedSince(api: Api, since: number, signal: AbortSignal): Promise<Ticket[]> {
  const found = new Map<string, Ticket>();
  for (let page = 1; page <= MOST_PAGES; page++) {
    const tickets = await api.list({ since, by: 'updated_at', page }, signal);
    for (const ticket of tickets) found.set(ticket.id, ticket);
    if (tickets.length < PAGE) break;
  }
  return [...found.values()];
}

function unlessRefused(error: unknown): undefined {
  if (error instanceof PermanentError && [403, 404].includes(error.response?.status ?? 0)) return undefined;
  throw error;
}

export function toActions({ statuses }: Config, given: unknown): ActionInput[] {
  const told = Told.parse(given);
  const actions = told.said.map((each) => saidOf(each, told));
  if (!told.status) return actions;
  const { value, at } = told.status;
  const status = toOurs(statuses, value);
  if (!status) return [...actions, other(`status ${value}`, 'none of ours is called that: see `statuses`')];
  const id = `status:${told.ticket}:${at}:${value}`;
  // Who did it isn't said.
  return [...actions, { kind: 'status', id, ticket: told.ticket, at: Date.parse(at), agent: 'Freshdesk', status }];
}

function saidOf(said: Conversation, { ticket, me, names }: Told): ActionInput {
  const [by, html] = [said.user_id ?? '', said.body ?? ''];
  const isOpen = !said.private;
  const reason = unsaid(said, { isOurs: by === me && markIn(html) !== undefined, isOpen });
  if (reason !== undefined) return other(`conversation ${said.id}`, reason);
  return {
    kind: isOpen ? 'reply' : 'note',
    id: `conversation:${said.id}`,
    ticket,
    at: Date.parse(said.created_at),
    agent: (names[by] ?? 'Freshdesk').slice(0, 1000),
    ...wordsOf(said, html),
    attachments: (said.attachments ?? []).map((file) => toAttachment(file, ticket)),
  };
}

/** Why it isn't an agent's answer or note. */
function unsaid({ incoming, source }: Conversation, { isOurs, isOpen }: { isOurs: boolean; isOpen: boolean }) {
  if (incoming) return 'written by a customer, not by an agent';
  if (isOurs) return 'ours';
  if (isOpen && source !== REPLY && source !== NOTE) return `no answer and no note: source ${source ?? 'unknown'}`;
  return undefined;
}

function toAttachment({ id, name, content_type: type, size }: File, ticket: string) {
  return {
    id: `${ticket}/${id}`,
    name: name.slice(0, 1000),
    mediaType: (type ?? 'application/octet-stream').slice(0, 255),
    ...(size != null && { size }),
  };
}

/** Without the conversation that Freshdesk quotes below an answer. */
function wordsOf({ body_text: plain }: Conversation, html: string): { text: string; html?: string } {
  const quote = html.search(/<div class="freshdesk_quote"/);
  const own = quote < 0 ? html : html.slice(0, quote);
  const text = quote < 0 && plain?.trim() ? plain.trim() : htmlToText(own);
  return { text, ...(own !== '' && { html: own }) };
}

function other(name: string, reason: string): ActionInput {
  return ignored(name, reason) as ActionInput;
}

/** Addresses of files end after a while: it is asked for a fresh one. */
export async function download(api: Api, { id }: Pick<Attachment, 'id'>) {
  const [ticket = '', file = ''] = id.split('/');
  for await (const page of pagesOf(api, ticket)) {
    const found = page.flatMap(({ attachments }) => attachments ?? []).find((each) => each.id === file);
    if (found?.attachment_url) return api.bytes(found.attachment_url, LARGEST_FILE);
  }
  throw new NotFoundError('the file is no longer in Freshdesk');
}
