import { z } from 'zod';
import type { Context } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Config } from './config.ts';

/**
 * The generic interface of Znuny, OTOBO and OTRS 6: operations of a web service, all of them POST in the one that
 * docs/destinations/otrs-web-service.yml defines, so that no password stands in an address.
 * https://doc.znuny.org/znuny_lts/ (Web Services), https://doc.otobo.org/ (Generic Interface)
 */

const MOST_READ = 16 * 1024 * 1024;
/** Files go with the message, in one request. */
const FILES_MS = 120_000;
/** The most that one search may find. */
const MOST_FOUND = 20_000;

const Id = z.union([z.number(), z.string().min(1)]).transform(String);
const text = z
  .union([z.string(), z.number().transform(String)])
  .nullish()
  .transform((value) => value ?? '');
/** Perl writes a list of one as the one, in some versions. */
const listOf = <T extends z.ZodType>(entry: T) =>
  z.preprocess((value: unknown) => {
    if (value === null || value === undefined) return [];
    return Array.isArray(value) ? (value as unknown[]) : [value];
  }, z.array(entry));

const File = z.object({
  FileID: Id,
  Filename: text,
  ContentType: text,
  FilesizeRaw: text,
  ContentID: text,
  Disposition: text,
  Content: text,
});
/** Only what is read of it. */
export const Article = z.object({
  ArticleID: Id,
  SenderType: text,
  IsVisibleForCustomer: text,
  From: text,
  Body: text,
  IncomingTime: text,
  CreateTime: text,
  Attachment: listOf(File),
});
export type Article = z.output<typeof Article>;
const Ticket = z.object({
  TicketID: Id,
  State: z.string(),
  StateID: Id,
  StateType: text,
  Priority: text,
  Owner: text,
  OwnerID: text,
  DynamicField: listOf(z.object({ Name: z.string(), Value: z.unknown() })),
  Article: listOf(Article),
});
export type Ticket = z.output<typeof Ticket>;
/** One line of what happened to a ticket. They have no numbers of their own, and new ones come behind the others. */
const Line = z.object({
  ArticleID: text.transform((id) => (id === '0' ? '' : id)),
  Name: text,
  CreateBy: text,
  CreateTime: z.string(),
  HistoryType: z.string(),
  StateID: text,
});
export type Line = z.output<typeof Line>;

const Answers = {
  created: z.object({ TicketID: Id }),
  updated: z.object({ TicketID: Id }),
  tickets: z.object({ Ticket: listOf(Ticket).refine((tickets) => tickets.length > 0) }),
  histories: z.object({ TicketHistory: listOf(z.object({ TicketID: Id, History: listOf(Line) })) }),
  /** Nothing found: an empty object. */
  found: z.object({ TicketID: listOf(Id) }),
};

const Refusal = z.object({ ErrorCode: z.string(), ErrorMessage: z.string().nullish() });
type Refusal = z.output<typeof Refusal>;

type Given = Readonly<Record<string, unknown>>;
export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, { http }: Pick<Context, 'http'>) {
  async function call<T extends z.ZodType>(
    schema: T,
    operation: string,
    given: Given,
    how: { readonly signal?: AbortSignal; readonly maxBytes?: number; readonly timeoutMs?: number } = {},
  ): Promise<z.output<T>> {
    const password = config.password.reveal();
    const { json } = await http.send({
      ...how,
      method: 'POST',
      url: addressOf(config, operation),
      headers: { accept: 'application/json' },
      body: { UserLogin: config.user, Password: password, ...given },
      // An answer may quote it.
      hidden: password,
    });
    const refused = z.object({ Error: Refusal }).safeParse(json);
    if (refused.success) throw refusedAs(refused.data.Error);
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`${operation} was answered with something else than is documented`, {
      outcomeUnknown: true,
      hint: 'Compare `apiRoot` with the address of the web service, and its operations with otrs-web-service.yml.',
    });
  }
  const reading = (signal?: AbortSignal) => ({ maxBytes: MOST_READ, ...(signal && { signal }) });
  const written = ({ Attachment: files }: Given) => (files === undefined ? {} : { timeoutMs: FILES_MS });

  return {
    create: async (given: Given) => (await call(Answers.created, 'TicketCreate', given, written(given))).TicketID,
    async update(id: string, given: Given): Promise<void> {
      await call(Answers.updated, 'TicketUpdate', { TicketID: id, ...given }, written(given));
    },
    async tickets(ids: readonly string[], more: Given = {}, signal?: AbortSignal): Promise<readonly Ticket[]> {
      return (await call(Answers.tickets, 'TicketGet', { TicketID: ids, ...more }, reading(signal))).Ticket;
    },
    /** A ticket's own articles with the bytes of their files; only those of agents. */
    async files(id: string, maxBytes: number): Promise<readonly Article[]> {
      const given = { TicketID: [id], AllArticles: 1, Attachments: 1, ArticleSenderType: ['agent'] };
      const { Ticket: tickets } = await call(Answers.tickets, 'TicketGet', given, { maxBytes, timeoutMs: FILES_MS });
      return tickets[0]?.Article ?? [];
    },
    async histories(ids: readonly string[], signal?: AbortSignal) {
      const { TicketHistory: all } = await call(
        Answers.histories,
        'TicketHistoryGet',
        { TicketID: ids },
        reading(signal),
      );
      return all.map(({ TicketID: ticket, History: lines }) => ({ ticket, lines }));
    },
    /** `field`: an operator and its value for the field that holds our id. */
    async search(field: Given, more: Given = {}, signal?: AbortSignal): Promise<readonly string[]> {
      const given = { [`DynamicField_${config.idField}`]: field, SearchInArchive: 'AllTickets', Limit: MOST_FOUND };
      return (await call(Answers.found, 'TicketSearch', { ...given, ...more }, reading(signal))).TicketID;
    },
  };
}

export function addressOf({ apiRoot }: Config, operation: string): string {
  return `${apiRoot}/${operation}`;
}

/** What is refused is answered with 200 and an error inside. */
function refusedAs({ ErrorCode: code, ErrorMessage: said }: Refusal): Error {
  const text = `${code}: ${said ?? 'no reason given'}`;
  if (code.endsWith('.AuthFail')) {
    return new AuthExpiredError(text, { hint: 'Compare `user` and `password` with the agent’s there.' });
  }
  const response = { status: 200, text: JSON.stringify({ ErrorCode: code, ErrorMessage: said }).slice(0, 2048) };
  return new PermanentError(text, { response });
}

/** The code behind the operation's name (`AccessDenied`), and what was said. */
export function refusalOf(error: unknown): { readonly code: string; readonly text: string } | undefined {
  if (!(error instanceof PermanentError) || error.response?.status !== 200) return undefined;
  const { data } = Refusal.safeParse(jsonOf(Buffer.from(error.response.text)));
  return data && { code: data.ErrorCode.split('.').at(-1) ?? '', text: data.ErrorMessage ?? '' };
}
