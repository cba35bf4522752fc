import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Raw } from '../../core/connector.ts';
import { toOurs, type Values } from '../../core/field-mapping.ts';
import { htmlToText } from '../../core/html-text.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import type { TicketStatus } from '../../core/ticket.ts';
import { Id, type Api } from './api.ts';
import { withoutQuote } from './quote.ts';

/**
 * What agents did, read from the transactions of the tickets that we made: a webhook of RT would have to be a scrip of
 * the operator's, is sent once and never again, and holds up the agent while it is sent.
 */

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

const Transactions = z.object({
  items: z.array(
    z.object({
      id: Id,
      Type: z.string(),
      ObjectId: Id,
      NewValue: text,
      Created: z.string(),
      Creator: z.object({ id: z.string(), RealName: text }),
    }),
  ),
});
type Transaction = z.output<typeof Transactions>['items'][number];

const Parts = z.object({
  items: z.array(
    z.object({ id: Id, ContentType: text, Filename: text, ContentLength: z.union([z.number(), text]).optional() }),
  ),
});
const Content = z.object({ Content: text });
const User = z.object({ Privileged: z.union([z.number(), text]).optional() });

/** Most that RT gives at once. */
const PAGE = 100;
/** Transactions get their numbers before they can be seen: as many are asked for again. Less than a page, or it never ends. */
const AGAIN = 90;
const MOST_TEXT_BYTES = 2 * 1024 * 1024;

/** What is stored of one transaction: everything that `normalize` needs. */
const Told = z.object({
  id: z.string(),
  type: z.string(),
  ticket: z.string(),
  status: z.string(),
  at: z.string(),
  agent: z.string(),
  isAgent: z.boolean(),
  text: z.string().optional(),
  html: z.string().optional(),
  files: z.array(z.object({ id: z.string(), name: z.string(), mediaType: z.string(), size: z.number().optional() })),
});
type Told = z.output<typeof Told>;

export function createPoll(api: Api) {
  /** Fetched already; forgotten with the process, the host knows them too. */
  const seen = new Set<string>();
  const agents = new Map<string, boolean>();

  async function isAgent(name: string, signal: AbortSignal): Promise<boolean> {
    const known = agents.get(name);
    if (known !== undefined) return known;
    const { Privileged } = await api.ask(User, { path: `user/${encodeURIComponent(name)}`, signal });
    const is = String(Privileged) === '1';
    if (agents.size > 1000) agents.clear();
    agents.set(name, is);
    return is;
  }

  async function tell(transaction: Transaction, signal: AbortSignal): Promise<Raw> {
    const { id, Type: type, ObjectId: ticket, NewValue: status, Created: at, Creator: by } = transaction;
    const said = type === 'Status' ? { files: [] } : await readParts(api, id, signal);
    const told: Told = {
      id,
      type,
      ticket,
      status,
      at,
      agent: by.RealName || by.id,
      isAgent: await isAgent(by.id, signal),
      ...said,
    };
    return { body: Buffer.from(JSON.stringify(told)) };
  }

  return async (cursor: string | undefined, signal: AbortSignal) => {
    const from = Number(cursor ?? 0);
    const found = await api.ask(Transactions, {
      path: 'transactions',
      query: {
        // RT itself puts in who asks: whatever name the token's account has, its own acts don't come back.
        query: `TicketCreator = '__CurrentUser__' AND Creator != '__CurrentUser__' AND Creator != 'RT_System' AND id > ${Math.max(0, from - AGAIN)} AND (Type = 'Correspond' OR Type = 'Comment' OR Type = 'Status')`,
        fields: 'Type,ObjectId,NewValue,Created,Creator',
        'fields[Creator]': 'RealName',
        per_page: String(PAGE),
        orderby: 'id',
        order: 'ASC',
      },
      signal,
    });
    const items: Raw[] = [];
    for (const transaction of found.items) {
      if (seen.has(transaction.id)) continue;
      items.push(await tell(transaction, signal));
      seen.add(transaction.id);
    }
    for (const id of seen) if (Number(id) < from - AGAIN) seen.delete(id);
    const last = Math.max(from, ...found.items.map(({ id }) => Number(id)));
    return { items, cursor: String(last), more: found.items.length === PAGE };
  };
}

/** The words of a transaction, and the files that came with it. */
async function readParts(api: Api, id: string, signal: AbortSignal): Promise<Pick<Told, 'text' | 'html' | 'files'>> {
  const fields = 'ContentType,Filename,ContentLength';
  const path = `transaction/${encodeURIComponent(id)}/attachments`;
  const { items } = await api.ask(Parts, { path, query: { fields, per_page: '100' }, signal });
  const parts = items.filter(({ ContentType }) => !ContentType.startsWith('multipart/'));
  const words = (type: string) => parts.find((part) => part.ContentType.startsWith(type) && part.Filename === '');
  const [plain, html] = [words('text/plain'), words('text/html')];
  const files = parts.filter((part) => part !== plain && part !== html);
  const read = async (part: typeof plain) =>
    part && (await readContent(api, part.id, MOST_TEXT_BYTES, signal)).toString();
  return {
    text: await read(plain),
    html: await read(html),
    files: files.map(({ id: file, Filename, ContentType, ContentLength }) => ({
      id: file,
      name: Filename || `file-${file}`,
      mediaType: ContentType || 'application/octet-stream',
      ...(Number(ContentLength) > 0 && { size: Number(ContentLength) }),
    })),
  };
}

/** The bytes of a part; they come in base64 within JSON. */
export async function readContent(api: Api, id: string, maxBytes: number, signal?: AbortSignal): Promise<Buffer> {
  const path = `attachment/${encodeURIComponent(id)}`;
  const { Content: content } = await api.ask(Content, { path, maxBytes: Math.ceil(maxBytes * 1.4) + 10_000, signal });
  return Buffer.from(content, 'base64');
}

export function toActions({ body }: Payload, statuses: Values<TicketStatus>): ActionInput[] {
  const { type, ...told } = Told.parse(parseJson(body));
  const common = { id: told.id, ticket: told.ticket, at: Date.parse(told.at), agent: told.agent.slice(0, 1000) };
  if (type === 'Status') {
    const status = toOurs(statuses, told.status);
    if (status) return [{ kind: 'status', ...common, status }];
    return [{ kind: 'ignored', name: `status ${told.status}`, reason: 'none of ours is called that: see `statuses`' }];
  }
  if (!told.isAgent)
    return [
      { kind: 'ignored', name: type, reason: `${common.agent.slice(0, 900)} is no agent there, and wrote himself` },
    ];
  const said = withoutQuote(told.text?.trim() ? told.text : htmlToText(told.html ?? ''));
  const words = { text: said, html: told.html, attachments: told.files };
  return [{ kind: type === 'Comment' ? 'note' : 'reply', ...common, ...words }];
}
