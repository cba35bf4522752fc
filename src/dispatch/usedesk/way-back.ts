import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Attachment } from '../../core/envelope.ts';
import type { Context, Fetching, Raw } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { NotFoundError, PermanentError, RetryableError, textOf } from '../../core/errors.ts';
import { toOurs } from '../../core/field-mapping.ts';
import { htmlToText } from '../../core/html-text.ts';
import { markIn } from '../../core/mark.ts';
import { pollMoved } from '../../core/moved-tickets.ts';
import { Change, Comment, PAGE, timeOf } from './api.ts';
import type { Api, Listed, Whole } from './api.ts';
import type { Config } from './config.ts';

const MOST_PAGES = 100;
/** More than one poll looks into, so that it knows that there are more. */
const ENOUGH = 100;
/** Behind what is listed again although it was looked into: Usedesk is asked by the minute. */
const NEW_MS = 2 * 60_000;
const MOST_NAMES = 1000;
const LARGEST_FILE = 100 * 1024 * 1024;

/** How far a ticket was read. */
const Known = z.object({ comment: z.number(), change: z.number() });
type Known = z.output<typeof Known>;
const NOTHING: Known = { comment: 0, change: 0 };

/** What a poll hands over of one ticket: what is new in it, oldest first, and who the agents are. */
const Told = z.object({
  ticket: z.string(),
  comments: z.array(Comment),
  changes: z.array(Change),
  names: z.record(z.string(), z.string()),
});
type Told = z.output<typeof Told>;
/** Of one that may not be looked into: so that nobody waits for what was said there. */
const Refused = z.object({ ticket: z.string(), refused: z.string() });

/** What changed in our tickets since it was last asked. */
export function createPoll({ clock }: Pick<Context, 'clock'>, api: Api): NonNullable<Fetching['poll']> {
  const names = new Map<string, string>();

  async function nameOf(id: string, signal: AbortSignal): Promise<string> {
    const known = names.get(id);
    if (known !== undefined) return known;
    // Whoever may not see agents still hears what they say.
    const agent = await api.agent(id, signal).catch(refused);
    const name = (agent instanceof PermanentError ? undefined : agent?.name?.trim()) || `agent ${id}`;
    if (names.size >= MOST_NAMES) names.clear();
    names.set(id, name);
    return name;
  }

  async function namesIn({ comments, changes }: Omit<Told, 'ticket' | 'names'>, signal: AbortSignal) {
    const said = comments.flatMap(({ user_id: id, user }) => (id && !user?.name ? [id] : []));
    const all: Record<string, string> = {};
    for (const id of new Set([...said, ...changes.flatMap((each) => each.user_id ?? [])])) {
      if (/^[1-9]\d{0,15}$/.test(id)) all[id] = await nameOf(id, signal);
    }
    return all;
  }

  return pollMoved(clock, {
    again: (ticket) => ticket,
    movedSince: async (since, signal) =>
      (await movedSince(api, since, signal)).map(({ id, last_updated_at: at }) => ({
        id,
        at: timeOf(at),
        // The list doesn't say which are.
        isOurs: true,
      })),
    async look({ id }, { known, unread }, signal) {
      const before = known === undefined ? undefined : Known.parse(JSON.parse(known));
      const nothing = { items: [], known: known ?? JSON.stringify(NOTHING) };
      const whole = await api.ticket(id, signal).catch((error: unknown) => refusalOf(error, id));
      // One that was deleted is no news.
      if (!whole) return nothing;
      if ('refused' in whole) return { items: [toRaw(whole)] };
      if (!isOurs(whole)) return nothing;
      const all = { comments: sorted(whole.comments), changes: sorted(whole.changes ?? []).filter(movesStatus) };
      const comments = all.comments.filter((each) =>
        before ? Number(each.id) > before.comment : timeOf(each.published_at) >= unread,
      );
      const changes = all.changes.filter((each) =>
        before ? Number(each.id) > before.change : timeOf(each.changed_at) >= unread,
      );
      const last = (list: readonly { readonly id: string }[]) => Number(list.at(-1)?.id ?? 0);
      const read: Known = { comment: last(all.comments), change: last(all.changes) };
      if (comments.length + changes.length === 0) return { items: [], known: JSON.stringify(read) };
      const told: Told = { ticket: id, comments, changes, names: await namesIn({ comments, changes }, signal) };
      return { items: [toRaw(told)], known: JSON.stringify(read) };
    },
  });
}

/** Undefined where it was deleted. */
function refusalOf(error: unknown, ticket: string): z.output<typeof Refused> | undefined {
  const { response } = refused(error);
  if (response?.status === 404) return undefined;
  return { ticket, refused: `${textOf(error).slice(0, 1000)}; it is looked into again for a day` };
}

/** What Usedesk refuses for this one; anything else ends the poll. */
function refused(error: unknown): PermanentError {
  if (error instanceof PermanentError && !error.gone) return error;
  throw error;
}

function toRaw(told: Told | z.output<typeof Refused>): Raw {
  return { body: Buffer.from(JSON.stringify(told)) };
}

function isOurs({ ticket }: Whole): boolean {
  return typeof ticket.additional_id === 'string' && ticket.additional_id.startsWith('tkt_');
}

function sorted<T extends { readonly id: string }>(all: readonly T[]): T[] {
  return [...all].sort((a, b) => Number(a.id) - Number(b.id));
}

/** 0 is none. */
function movesStatus({ old_status: before, new_status: after }: Change): boolean {
  return after != null && after !== '0' && after !== before;
}

/**
 * To the end, or until there is enough, where Usedesk keeps to the order that is asked for. The pages before are read again,
 * backwards: what moves meanwhile goes to the end, and another one takes its place on a page that was read.
 */
async function movedSince(api: Api, since: number, signal: AbortSignal): Promise<Listed[]> {
  const all = new Map<string, Listed>();
  const read = async (page: number): Promise<readonly Listed[]> => {
    const found = await api.moved(since, page, signal);
    for (const each of found) all.set(each.id, each);
    return found;
  };
  let isInOrder = true;
  let before = 0;
  for (let page = 0; page < MOST_PAGES; page++) {
    const found = await read(page);
    for (const { last_updated_at: at } of found) {
      isInOrder &&= timeOf(at) >= before;
      before = timeOf(at);
    }
    const news = [...all.values()].filter((each) => timeOf(each.last_updated_at) > since + NEW_MS);
    if (found.length >= PAGE && !(isInOrder && news.length >= ENOUGH)) continue;
    for (let again = page - 1; again >= 0; again--) await read(again);
    return [...all.values()];
  }
  throw new RetryableError('Usedesk lists more tickets than can be looked through');
}

export function toActions(config: Config, given: unknown): ActionInput[] {
  const refusal = Refused.safeParse(given).data;
  if (refusal) return [other(`ticket ${refusal.ticket}`, refusal.refused)];
  const told = Told.parse(given);
  return [
    ...told.comments.map((each) => saidOf(config, each, told)),
    ...told.changes.map((each) => statusOf(config, each, told)),
  ];
}

function saidOf({ user }: Config, comment: Comment, { ticket, names }: Told): ActionInput {
  const { id, from, type, user_id: by, message } = comment;
  const html = message ?? '';
  const reason = unsaid(comment, { isOurs: by === String(user) && markIn(html) !== undefined });
  if (reason !== undefined) return other(`comment ${id}`, reason);
  const name = comment.user?.name?.trim() || names[by ?? ''];
  return {
    kind: type === 'public' ? 'reply' : 'note',
    id: `comment:${id}`,
    ticket,
    at: timeOf(comment.published_at),
    agent: ((from === 'user' && name) || 'Usedesk').slice(0, 1000),
    ...wordsOf(html),
    attachments: (comment.files ?? []).map((file, index) => toAttachment(file, `${ticket}/${id}/${index}`)),
  };
}

/** Why it isn't an agent's answer or note. */
function unsaid({ from, type }: Comment, { isOurs: ours }: { readonly isOurs: boolean }): string | undefined {
  if (from === 'client') return 'written by a customer, not by an agent';
  if (ours) return 'ours';
  if (from !== 'user' && from !== 'trigger') return `written by ${from.slice(0, 100)}, which is no agent`;
  return type === 'public' || type === 'private'
    ? undefined
    : `neither public nor private: ${(type ?? '').slice(0, 100)}`;
}

/** What an agent, or a rule, made of the status. */
function statusOf({ user, statuses }: Config, change: Change, { ticket, names }: Told): ActionInput {
  const { id, user_id: by, new_status: value } = change;
  const name = `change ${id}`;
  if (!isRules(change)) {
    if (by === String(user)) return other(name, 'ours');
    // His message came through us, and what it makes of the ticket was decided here.
    const isCustomers = change.data?.some(({ target }) => target === 'message_from_client');
    if (isCustomers) return other(name, 'what a message of the customer made of it');
  }
  const status = toOurs(statuses, value ?? '');
  if (!status)
    return other(name, `status ${(value ?? '').slice(0, 100)}: none of ours is called that, see \`statuses\``);
  const agent = (names[by ?? ''] ?? 'Usedesk').slice(0, 1000);
  return { kind: 'status', id: `change:${id}`, ticket, at: timeOf(change.changed_at), agent, status };
}

function isRules({ trigger_id: rule }: Change): boolean {
  return rule != null && rule !== '0';
}

/** Markup from mail and from the editor, plain lines from elsewhere. */
function wordsOf(message: string): { text: string; html?: string } {
  if (/<[a-z!/]/i.test(message)) return { text: htmlToText(message), html: message };
  return { text: htmlToText(message.replaceAll('\n', '<br>')) };
}

const File = z
  .union([
    z.string().transform((file) => ({ file, name: undefined })),
    z.object({ file: z.string(), name: z.string().nullish() }),
  ])
  .catch({ file: '', name: undefined });

function toAttachment(given: unknown, id: string) {
  const { file, name } = File.parse(given);
  const last = (URL.canParse(file) ? new URL(file).pathname.split('/').at(-1) : undefined) || 'file';
  return { id, name: (name?.trim() || last).slice(0, 1000), mediaType: 'application/octet-stream' };
}

/** `files` of a comment as it stands there now. */
export async function download(api: Api, { id }: Pick<Attachment, 'id'>) {
  const [ticket = '', comment = '', index = ''] = id.split('/');
  const { comments } = await api.ticket(ticket);
  const { file } = File.parse(comments.find((each) => each.id === comment)?.files?.[Number(index)]);
  if (file === '') throw new NotFoundError('the file is no longer in Usedesk');
  return api.bytes(file, LARGEST_FILE);
}

function other(name: string, reason: string): ActionInput {
  return ignored(name, reason) as ActionInput;
}
