import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import { ignored } from '../../core/envelope.ts';
import { UncertainError } from '../../core/errors.ts';
import { toOurs } from '../../core/field-mapping.ts';
import { markOf } from '../../core/mark.ts';
import type { Message } from '../../core/ticket.ts';
import { Audit } from './api.ts';
import type { Api } from './api.ts';
import type { Config } from './config.ts';

/**
 * Audits: what was done to a ticket there, one for each update. What we do carries our mark, so that it is found again
 * after a lost answer, and doesn't come back as an agent's.
 * https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/
 */

const MOST_PAGES = 100;
/** How far Zendesk's clock may be behind ours. */
const SKEW_MS = 60 * 60_000;

/** Whether a message was written into a ticket there. */
export async function hasMark(api: Api, ticketId: string, message: Message): Promise<boolean> {
  const mark = markOf(message);
  for await (const audits of pagesOf(api, ticketId, Date.parse(message.receivedAt) - SKEW_MS)) {
    if (audits.some((audit) => markIn(audit) === mark)) return true;
  }
  return false;
}

/** Audits of a ticket, a page at a time, those since `since` at least. */
export async function* pagesOf(
  api: Api,
  ticketId: string,
  since: number,
  signal?: AbortSignal,
): AsyncGenerator<readonly Audit[]> {
  for (let page = 1; page <= MOST_PAGES; page++) {
    const { audits, more } = await api.audits(ticketId, page, signal);
    yield audits;
    const [first, last] = [audits[0], audits.at(-1)];
    const isOver = first && last && timeOf(last) < since && timeOf(first) >= timeOf(last);
    if (!more || isOver) return;
  }
  throw new UncertainError(`ticket ${ticketId} has more history in Zendesk than can be looked through`);
}

export function timeOf({ created_at: at }: Audit): number {
  return Date.parse(at);
}

function markIn({ metadata }: Audit): string | undefined {
  return metadata?.custom?.tributary ?? undefined;
}

const Id = z.union([z.number(), z.string()]).transform(String);
const File = z.object({
  id: Id,
  file_name: z.string(),
  content_type: z.string().nullish(),
  size: z.number().int().min(0).nullish(),
  inline: z.boolean().nullish(),
});
const Via = z.object({ channel: z.union([z.string(), z.number()]).nullish() }).nullish();
const Event = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('Comment'),
    id: Id,
    author_id: Id.nullish(),
    public: z.boolean(),
    plain_body: z.string().nullish(),
    body: z.string().nullish(),
    html_body: z.string().nullish(),
    attachments: z.array(File).nullish(),
  }),
  z.object({ type: z.literal('Change'), id: Id, field_name: z.string(), value: z.unknown(), via: Via }),
]);
type Event = z.output<typeof Event>;

const Person = z.object({ name: z.string(), role: z.enum(['agent', 'customer']) });
export type Person = z.output<typeof Person>;

/** What a poll hands over: new audits of one ticket, oldest first, and who wrote in them. */
export const History = z.object({
  ticket: z.string(),
  audits: z.array(Audit).readonly(),
  people: z.record(z.string(), Person),
});
export type History = z.output<typeof History>;

/** What agents did in one update. */
export function actionsOf(
  config: Config,
  audit: Audit,
  { ticket, people }: Pick<History, 'ticket' | 'people'>,
): ActionInput[] {
  const ours = markIn(audit) !== undefined;
  const events = eventsOf(audit.events);
  const actions = events.flatMap((event): ActionInput[] => {
    const author = (event.type === 'Comment' ? event.author_id : undefined) ?? audit.author_id ?? '';
    const person = people[author] ?? { name: 'Zendesk', role: 'agent' };
    const common = { ticket, at: timeOf(audit), agent: person.name.slice(0, 1000) };
    if (event.type === 'Change') return statusOf(config, event, { ours, common });
    return ours || person.role === 'customer' ? [] : [saidOf(event, common)];
  });
  if (actions.length > 0) return actions;
  return [ignored(`audit ${audit.id}`, ours ? 'ours' : 'nothing that an agent said, and no status')] as ActionInput[];
}

interface Common {
  readonly ticket: string;
  readonly at: number;
  readonly agent: string;
}

/** In an update of ours, only what Zendesk's own rules made of it. */
function statusOf(
  { statuses }: Config,
  { id, field_name: field, value, via }: Event & { type: 'Change' },
  { ours, common }: { readonly ours: boolean; readonly common: Common },
): ActionInput[] {
  if (field !== 'status' || typeof value !== 'string' || (ours && via?.channel !== 'rule')) return [];
  const status = toOurs(statuses, value);
  return status ? [{ kind: 'status', id: `status:${id}`, ...common, status }] : [];
}

function saidOf(event: Event & { type: 'Comment' }, common: Common): ActionInput {
  const files = event.attachments ?? [];
  return {
    kind: event.public ? 'reply' : 'note',
    id: `comment:${event.id}`,
    ...common,
    text: event.plain_body ?? event.body ?? '',
    ...(event.html_body && { html: event.html_body }),
    attachments: files.map(({ id, file_name: name, content_type: type, size, inline }) => ({
      id,
      name: name.slice(0, 1000),
      mediaType: (type ?? 'application/octet-stream').slice(0, 255),
      ...(size != null && { size }),
      ...(inline != null && { inline }),
    })),
  };
}

/** Those that are understood; there are some forty kinds, and new ones come. */
function eventsOf(events: readonly unknown[]): Event[] {
  return events.flatMap((event) => {
    const type = (event as { type?: unknown } | null)?.type;
    return type === 'Comment' || type === 'Change' ? [Event.parse(event)] : [];
  });
}

/** Who wrote comments in these, besides us. */
export function authorsOf(audits: readonly Audit[]): string[] {
  const ids = audits
    .filter((audit) => markIn(audit) === undefined)
    .flatMap(({ author_id: own, events }) => [
      own,
      ...eventsOf(events).map((event) => (event.type === 'Comment' ? event.author_id : undefined)),
    ]);
  return [...new Set(ids.filter((id) => id != null && /^\d+$/.test(id)) as string[])];
}
