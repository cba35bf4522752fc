import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { RetryableError } from '../../core/errors.ts';
import type { Config } from './config.ts';

/** Zammad's REST API, as far as it is used. https://docs.zammad.org/en/latest/api/intro.html */

const ANSWER_BYTES = 16 * 1024 * 1024;
/** All that was said in a ticket; a history brings it along too. */
const TICKET_BYTES = 64 * 1024 * 1024;
const FILE_BYTES = 100 * 1024 * 1024;
const FILES_MS = 120_000;
/** The most that one search gives at once. */
export const PAGE = 200;

const Id = z.union([z.number(), z.string().min(1)]).transform(String);
const Time = z.iso.datetime({ offset: true });
const text = z
  .union([z.string(), z.number().transform(String)])
  .nullish()
  .transform((value) => value ?? '');

/** With whatever attributes were added. */
const Ticket = z.looseObject({ id: Id, state: z.string(), priority: text, customer_id: text });
export type Ticket = z.output<typeof Ticket>;
const Moved = Ticket.extend({ updated_at: Time });
export type Moved = z.output<typeof Moved>;

const File = z.object({
  id: Id,
  filename: text,
  size: text,
  preferences: z.object({ 'Content-Type': text, 'Mime-Type': text }).nullish(),
});
const Article = z.object({
  id: Id,
  ticket_id: Id,
  type: text,
  sender: text,
  internal: z.boolean(),
  from: text,
  to: text,
  body: text,
  content_type: text,
  message_id: text,
  created_at: Time,
  attachments: z.array(File).nullish(),
});
export type Article = z.output<typeof Article>;

/** A line of what happened to a ticket; they are numbered across all tickets. */
const Line = z.object({
  id: z.number(),
  object: text,
  type: text,
  attribute: text,
  o_id: text,
  id_to: text,
  value_to: text,
  created_by_id: text,
  created_at: Time,
});
export type Line = z.output<typeof Line>;
const Person = z.object({ id: Id, firstname: text, lastname: text, login: text, email: text });
export type Person = z.output<typeof Person>;

const Answers = {
  ticket: Ticket,
  tickets: z.array(Moved),
  article: Article,
  marks: z.array(z.object({ message_id: text })),
  added: z.object({ id: Id }),
  history: z.object({
    history: z.array(Line),
    assets: z.object({ User: z.record(z.string(), Person).nullish() }).nullish(),
  }),
  me: Person,
};

export type Condition = Readonly<Record<string, { readonly operator: string; readonly value: string }>>;
export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, { http }: Pick<Context, 'http'>) {
  const headers = () => ({ authorization: `Token token=${config.token.reveal()}`, accept: 'application/json' });

  async function call<T extends z.ZodType>(schema: T, path: string, request: Partial<HttpRequest> = {}) {
    const { method = 'GET' } = request;
    const url = addressOf(config, path);
    const { json } = await http.send({ maxBytes: ANSWER_BYTES, ...request, method, url, headers: headers() });
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`Zammad answered ${method} ${path.split('?')[0]} with something else than it documents`, {
      outcomeUnknown: method !== 'GET',
      hint: 'Compare `apiRoot` with the address of your Zammad.',
    });
  }
  const until = (signal?: AbortSignal) => (signal ? { signal } : {});
  const written = (body: object, files: number) => ({ body, ...(files > 0 && { timeoutMs: FILES_MS }) });
  const ticketPath = (id: string) => `/tickets/${encodeURIComponent(id)}?expand=true`;

  return {
    me: () => call(Answers.me, '/users/me'),
    ticket: (id: string) => call(Answers.ticket, ticketPath(id)),
    create: (ticket: object, files: number) =>
      call(Answers.ticket, '/tickets?expand=true', { method: 'POST', ...written(ticket, files) }),
    update: (id: string, ticket: object) => call(Answers.ticket, ticketPath(id), { method: 'PUT', body: ticket }),
    add: (article: object, files: number) =>
      call(Answers.added, '/ticket_articles', { method: 'POST', ...written(article, files) }),
    article: (id: string, signal?: AbortSignal) =>
      call(Answers.article, `/ticket_articles/${encodeURIComponent(id)}`, until(signal)),
    /** The message ids of what was said in a ticket. */
    async marks(ticketId: string): Promise<readonly string[]> {
      const path = `/ticket_articles/by_ticket/${encodeURIComponent(ticketId)}`;
      return (await call(Answers.marks, path, { maxBytes: TICKET_BYTES })).map(({ message_id: id }) => id);
    },
    history: (ticketId: string, signal?: AbortSignal) =>
      call(Answers.history, `/ticket_history/${encodeURIComponent(ticketId)}`, {
        maxBytes: TICKET_BYTES,
        ...until(signal),
      }),
    /**
     * What moved first comes first. Without words to look for, Zammad asks its database, not Elasticsearch, which is
     * behind by seconds or isn't there.
     */
    search(condition: Condition, page: number, signal?: AbortSignal) {
      const order = 'sort_by=updated_at,id&order_by=asc,asc';
      const path = `/tickets/search?expand=true&${order}&page=${page}&limit=${PAGE}`;
      return call(Answers.tickets, path, { method: 'POST', body: { condition }, ...until(signal) });
    },
    /** `id`: ticket, article and file. */
    download(id: string) {
      const path = `/ticket_attachment/${id.split('/').map(encodeURIComponent).join('/')}`;
      return http.stream({ url: addressOf(config, path), maxBytes: FILE_BYTES, headers: headers() });
    },
  };
}

export function addressOf({ apiRoot }: Config, path: string): string {
  return `${apiRoot}/api/v1${path}`;
}
