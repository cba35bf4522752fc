import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const LOGIN = 'tributary';
export const PASSWORD = 'not-a-real-password-of-an-agent';
export const INVOKER = { user: 'znuny', password: 'not-a-real-password-of-an-invoker' };
/** Whom the gateway works as, and an agent. */
export const GATEWAY = 7;
export const IVAN = 12;

type Json = Record<string, unknown>;
interface Asked {
  readonly operation: string;
  readonly path: string;
  readonly body: Json;
}
/** How a call ends: refused in an answer of 200; another answer; not reached; or carried out with the answer lost. */
export type Ending =
  | { readonly refused: string; readonly text?: string }
  | { readonly http: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  | 'cut'
  | 'lost';

export interface OtrsTicket {
  readonly id: number;
  readonly attributes: Json;
  readonly fields: Record<string, unknown>;
  state: string;
  readonly articles: Json[];
  readonly history: Json[];
}

/** What an agent does in one go. */
export interface Act {
  readonly by?: number;
  readonly article?: {
    readonly text: string;
    readonly visible: boolean;
    readonly sender?: 'agent' | 'customer' | 'system';
    readonly from?: string;
    readonly how?: string;
    readonly files?: Readonly<Record<string, string>>;
  };
  readonly state?: string;
}

export interface FakeOtrs {
  readonly root: string;
  readonly calls: Asked[];
  readonly tickets: OtrsTicket[];
  /** Dynamic fields that are defined there. */
  readonly fields: Set<string>;
  /** What reached an address that isn't there; must stay empty. */
  readonly violations: string[];
  /** What the vendor's schema has something to say about. */
  readonly written: [operation: string, body: object][];
  now: () => number;
  /** Milliseconds by which its clock is ahead. */
  ahead: number;
  /** Addresses that it doesn't take. */
  readonly badAddresses: Set<string>;
  /** The next calls of an operation end so. */
  end(operation: string, ...endings: Ending[]): void;
  act(ticketId: number, act: Act): void;
  merge(ticketId: number, into: number): void;
  /** Articles of a ticket: who wrote for whom, and what. */
  articles(ticketId: number): string[];
  /** What the invoker tells. */
  notify(url: string, ticketId: number, password?: string): Promise<{ status: number; body: string }>;
  close(): Promise<void>;
}

const STATES = ['new', 'open', 'pending reminder', 'closed successful', 'closed unsuccessful', 'merged', 'waiting'];
const PRIORITIES = ['1 very low', '2 low', '3 normal', '4 high', '5 very high'];
const TYPES: Readonly<Record<string, string>> = { merged: 'merged', new: 'new', open: 'open' };

/** Answers as the sources of Znuny 6.5 and OTOBO 11 do. */
export async function startOtrs(): Promise<FakeOtrs> {
  const endings = new Map<string, Ending[]>();
  let next = 100;

  const fake: FakeOtrs = {
    root: '',
    calls: [],
    tickets: [],
    fields: new Set(['TributaryId', 'OrderNumber', 'Labels']),
    badAddresses: new Set(),
    violations: [],
    written: [],
    now: Date.now,
    ahead: 0,
    end: (operation, ...list) => void endings.set(operation, list),
    act(ticketId, { by = IVAN, article, state }) {
      const ticket = ticketOf(ticketId)!;
      if (article) {
        const { text, visible, sender = 'agent', from = '"Ivan Petrenko" <ivan@example.com>', how } = article;
        const given = { SenderType: sender, IsVisibleForCustomer: visible ? 1 : 0, From: from, Body: text };
        addArticle(ticket, by, { ...given, HistoryType: how ?? 'AddNote', HistoryComment: '%%' }, article.files);
      }
      if (state) setState(ticket, by, state);
    },
    merge(ticketId, into) {
      const ticket = ticketOf(ticketId)!;
      const main = ticketOf(into)!;
      main.articles.push(...ticket.articles.splice(0));
      const name = `Merged Ticket (2026${ticketId}/${ticketId}) to (2026${into}/${into})`;
      setState(ticket, IVAN, 'merged');
      addLine(ticket, IVAN, { HistoryType: 'Merged', Name: name });
      addLine(main, IVAN, { HistoryType: 'Merged', Name: name });
    },
    articles: (ticketId) =>
      ticketOf(ticketId)!.articles.map((each) => {
        const inside = each['IsVisibleForCustomer'] === 1 ? '' : ' (inside)';
        const files = (each['Attachment'] as Json[]).map((file) => ` +${String(file['Filename'])}`);
        return `${String(each['SenderType'])}${inside}: ${String(each['Body'])}${files.join('')}`;
      }),
    async notify(url, ticketId, password = INVOKER.password) {
      const authorization = `Basic ${Buffer.from(`${INVOKER.user}:${password}`).toString('base64')}`;
      const headers = { 'content-type': 'application/json; charset=UTF-8', authorization };
      const body = JSON.stringify({ TicketID: ticketId, OldTicketData: { State: 'new' } });
      const answer = await fetch(url, { method: 'POST', headers, body });
      return { status: answer.status, body: await answer.text() };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  const time = () => new Date(fake.now() + fake.ahead).toISOString().slice(0, 19).replace('T', ' ');
  const ticketOf = (id: unknown) => fake.tickets.find((ticket) => String(ticket.id) === String(id));

  function addLine(ticket: OtrsTicket, by: number, line: Json): void {
    const common = { TicketID: ticket.id, ArticleID: 0, CreateBy: by, CreateTime: time(), StateID: idOf(ticket) };
    ticket.history.push({ ...common, Name: '%%', ...line });
  }

  function setState(ticket: OtrsTicket, by: number, state: string): void {
    const before = ticket.state;
    if (before === state) return;
    ticket.state = state;
    addLine(ticket, by, { HistoryType: 'StateUpdate', Name: `%%${before}%%${state}%%` });
  }

  function addArticle(
    ticket: OtrsTicket,
    by: number,
    given: Json,
    files: Readonly<Record<string, string>> = {},
  ): number {
    const id = next++;
    const { HistoryType: how, HistoryComment: comment, ...rest } = given;
    const attached = Object.entries(files).map(([name, content], index) => ({
      FileID: String(index + 1),
      Filename: name,
      ContentType: 'text/plain',
      FilesizeRaw: String(Buffer.byteLength(content)),
      ContentID: '',
      Disposition: 'attachment',
      Content: Buffer.from(content).toString('base64'),
    }));
    const seconds = Math.floor((fake.now() + fake.ahead) / 1000);
    ticket.articles.push({
      ArticleID: id,
      CreateBy: by,
      CreateTime: time(),
      IncomingTime: seconds,
      ...rest,
      Attachment: attached,
    });
    addLine(ticket, by, { ArticleID: id, HistoryType: how, Name: comment });
    // About the mail to the agents: another line of the same article.
    addLine(ticket, 1, {
      ArticleID: id,
      HistoryType: 'SendAgentNotification',
      Name: '%%Note%%ivan@example.com%%email',
    });
    return id;
  }

  type Answer = { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> };
  const done = (body: unknown): Answer => ({ status: 200, body });
  const refusal = (code: string, text: string): Answer => done({ Error: { ErrorCode: code, ErrorMessage: text } });

  /** What is looked at before anything is written. */
  function checkWritten(operation: string, { Ticket: ticket, Article: article, ...rest }: Json): Answer | undefined {
    const wrong = (what: string) =>
      refusal(`${operation}.InvalidParameter`, `${operation}: ${what} parameter is invalid!`);
    const { State: state, Priority: priority, CustomerUser: user } = (ticket ?? {}) as Record<string, string>;
    if (state !== undefined && !STATES.includes(state)) return wrong('Ticket->StateID or Ticket->State');
    if (priority !== undefined && !PRIORITIES.includes(priority))
      return wrong('Ticket->PriorityID or Ticket->Priority');
    if (user !== undefined && fake.badAddresses.has(user)) return wrong('Ticket->CustomerUser');
    const { From: from = '', ContentType: type = '' } = (article ?? {}) as Record<string, string>;
    if ([...fake.badAddresses].some((bad) => from.includes(bad))) return wrong('Article->From');
    if (article && !/^\w+\/\w+/.test(type)) return wrong('Article->ContentType');
    for (const { Name: name } of (rest['DynamicField'] ?? []) as { Name: string }[])
      if (!fake.fields.has(name)) return wrong('DynamicField->Name');
    for (const file of (rest['Attachment'] ?? []) as Record<string, string>[])
      if (!file['Content'] || !/^\w+\/\w+/.test(file['ContentType'] ?? '')) return wrong('Attachment->ContentType');
    return undefined;
  }

  function write(ticket: OtrsTicket, given: Json): number | undefined {
    const fields = (given['DynamicField'] ?? []) as { Name: string; Value: unknown }[];
    for (const { Name: name, Value: value } of fields) ticket.fields[name] = value;
    const article = given['Article'] as Json | undefined;
    const files = ((given['Attachment'] ?? []) as Record<string, string>[]).map(
      (file) => [file['Filename']!, Buffer.from(file['Content']!, 'base64').toString()] as const,
    );
    return article && addArticle(ticket, GATEWAY, { From: LOGIN, ...article }, Object.fromEntries(files));
  }

  const operations: Readonly<Record<string, (given: Json) => Answer>> = {
    TicketCreate(given) {
      const { State: state, ...attributes } = given['Ticket'] as Json & { State: string };
      const ticket: OtrsTicket = {
        id: next++,
        attributes,
        fields: {},
        state,
        articles: [],
        history: [],
      };
      fake.tickets.push(ticket);
      addLine(ticket, GATEWAY, {
        HistoryType: 'NewTicket',
        Name: `%%2026${ticket.id}%%Support%%3 normal%%new%%${ticket.id}`,
      });
      const article = write(ticket, given);
      return done({ TicketID: String(ticket.id), TicketNumber: `2026${ticket.id}`, ArticleID: article });
    },
    TicketUpdate(given) {
      const ticket = ticketOf(given['TicketID']);
      if (!ticket)
        return refusal('TicketUpdate.AccessDenied', 'TicketUpdate: User does not have access to the ticket!');
      const { State: state, ...attributes } = (given['Ticket'] ?? {}) as Json & { State?: string };
      Object.assign(ticket.attributes, attributes);
      const article = write(ticket, given);
      if (state !== undefined) setState(ticket, GATEWAY, state);
      return done({ TicketID: ticket.id, TicketNumber: `2026${ticket.id}`, ...(article && { ArticleID: article }) });
    },
    TicketGet(given) {
      const tickets = [given['TicketID']].flat().map(ticketOf);
      if (tickets.includes(undefined))
        return refusal('TicketGet.AccessDenied', 'TicketGet: User does not have access to the ticket!');
      return done({ Ticket: tickets.map((ticket) => shown(ticket!, given)) });
    },
    TicketHistoryGet(given) {
      const tickets = [given['TicketID']].flat().map(ticketOf);
      if (tickets.includes(undefined))
        return refusal('TicketHistoryGet.AccessDenied', 'User does not have access to the ticket!');
      return done({ TicketHistory: tickets.map((ticket) => ({ TicketID: ticket!.id, History: ticket!.history })) });
    },
    TicketSearch(given) {
      const found = fake.tickets.filter((ticket) => isFound(ticket, given)).slice(0, Number(given['Limit']));
      return done(found.length > 0 ? { TicketID: found.map(({ id }) => String(id)) } : {});
    },
  };

  function isFound({ fields, history }: OtrsTicket, given: Json): boolean {
    const minutes = Number(given['TicketChangeTimeNewerMinutes'] ?? Infinity);
    const since = fake.now() + fake.ahead - minutes * 60_000;
    const changed = history.some((line) => Date.parse(`${String(line['CreateTime']).replace(' ', 'T')}Z`) >= since);
    if (minutes < Infinity && !changed) return false;
    return [...fake.fields].every((name) => {
      const { Equals: equals, Like: like } = (given[`DynamicField_${name}`] ?? {}) as Record<string, string>;
      const value = (fields[name] ?? '') as string;
      return (
        (equals === undefined || value === equals) && (like === undefined || value.startsWith(like.replace('*', '')))
      );
    });
  }

  function shown(ticket: OtrsTicket, given: Json): Json {
    const kinds = given['ArticleSenderType'] as string[] | undefined;
    const articles = ticket.articles
      .filter((each) => !kinds || kinds.includes(String(each['SenderType'])))
      .map(({ Attachment: files, ...article }) => ({
        ...article,
        ...(given['Attachments'] === 1 && {
          Attachment: (files as Json[]).map((file) => ({
            ...file,
            ...(given['GetAttachmentContents'] === 0 && { Content: '' }),
          })),
        }),
      }));
    return {
      TicketID: ticket.id,
      ...ticket.attributes,
      Owner: 'ivan',
      OwnerID: IVAN,
      State: ticket.state,
      StateID: idOf(ticket),
      StateType: TYPES[ticket.state] ?? 'closed',
      ...(given['DynamicFields'] === 1 && {
        DynamicField: [...fake.fields].map((name) => ({ Name: name, Value: ticket.fields[name] ?? null })),
      }),
      ...(given['AllArticles'] === 1 && { Article: articles }),
    };
  }

  function answerTo({ operation, body }: Asked): Answer {
    const run = operations[operation];
    if (!run) return { status: 500, body: { faultcode: 'Server', faultstring: 'no such operation' } };
    if (body['UserLogin'] !== LOGIN || body['Password'] !== PASSWORD)
      return refusal(`${operation}.AuthFail`, `${operation}: Authorization failing!`);
    if (operation === 'TicketCreate' || operation === 'TicketUpdate') {
      fake.written.push([operation, body]);
      const wrong = checkWritten(operation, body);
      if (wrong) return wrong;
    }
    return run(body);
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await read(request);
    const path = request.url ?? '';
    const operation = path.split('/').at(-1)!;
    if (request.method !== 'POST' || !path.startsWith('/znuny/nph-genericinterface.pl/Webservice/Tributary/'))
      fake.violations.push(`${request.method} ${path}`);
    const asked: Asked = { operation, path, body: JSON.parse(bytes.toString()) as Json };
    fake.calls.push(asked);
    const ending = endings.get(operation)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const answer = typeof ending === 'object' ? answerOf(operation, ending) : answerTo(asked);
    if (ending === 'lost') return void request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json; charset=UTF-8', ...answer.headers });
    response.end(JSON.stringify(answer.body));
  }

  function answerOf(operation: string, ending: Exclude<Ending, string>): Answer {
    if ('refused' in ending) return refusal(`${operation}.${ending.refused}`, ending.text ?? ending.refused);
    return { status: ending.http, body: ending.body ?? {}, ...(ending.headers && { headers: ending.headers }) };
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return Object.assign(fake, { root: `http://127.0.0.1:${port}/znuny/nph-genericinterface.pl/Webservice/Tributary` });
}

function idOf({ state }: OtrsTicket): number {
  return STATES.indexOf(state) + 1;
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
