import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express';
import type { Gateway } from '../core/gateway.ts';
import type { Reader } from '../core/reader.ts';
import { statusTicketOf } from '../core/status-page.ts';
import type { Ticket } from '../core/ticket.ts';
import { wishedLanguage, type Language } from '../core/wished-language.ts';
import { ApiError, toProblem } from './problem.ts';
import { POLICY } from './status-look.ts';
import { emptyPage, requestPage, type Request as Shown } from './status-page.ts';

const PATH = '/status';
/** A ticket is merged into one that wasn't; a chain grows when that one is merged later. */
const MOST_MERGES = 50;

/**
 * `GET /status/:token`: where customers see how their request is doing, by an address that only we can make. What is
 * wrong, cut, of a ticket that isn't there, or of one that was closed long ago is one and the same answer.
 */
export function mountStatus(app: Express, gateway: Gateway, limit: RequestHandler): void {
  const { clock, statusPages, store } = gateway;

  async function find(token: string): Promise<{ readonly shown: Shown; readonly language: string | null } | undefined> {
    const id = statusTicketOf(statusPages, token);
    const asked = id === undefined ? undefined : await store.read.ticket(id);
    const ticket = asked && (await mergedInto(store.read, asked));
    if (!ticket) return undefined;
    const progress = await store.read.progress(ticket.id);
    if (progress.closedAt !== null && clock.now() - progress.closedAt > statusPages.closedForMs) return undefined;
    const names = await namesOf(store.read, ticket, statusPages.shows);
    const { number, subject, customer, createdAt } = asked;
    const shown = {
      ...{ ...progress, ...names, number },
      // An agent who has no subject files it under the customer's name.
      subject: subject === customer.name ? undefined : subject,
      status: ticket.status,
      continuedAs: ticket.id === asked.id ? undefined : ticket.number,
      receivedAt: Date.parse(createdAt),
    };
    return { shown, language: asked.language };
  }

  const show: RequestHandler = async (request, response) => {
    const found = await find(request.path.slice(PATH.length + 1));
    if (!found) return send(response, 404, emptyPage('missing', languageFor(request)));
    send(response, 200, requestPage(found.shown, languageFor(request, found.language)));
  };
  const refuse: RequestHandler = () => {
    throw new ApiError(405, 'method_not_allowed', 'Here only GET.', { headers: { allow: 'GET, HEAD' } });
  };
  app.route(`${PATH}{/*token}`).all(limit).get(show).all(refuse);
  app.use(PATH, answerTrouble(gateway));
}

/** The ticket where the conversation goes on now. */
async function mergedInto(read: Reader, ticket: Ticket): Promise<Ticket | undefined> {
  let current: Ticket | undefined = ticket;
  for (let hops = 0; current?.mergedInto && hops < MOST_MERGES; hops++) current = await read.ticket(current.mergedInto);
  return current;
}

/** Who works on it, as far as customers may know: names only, since integrations write addresses and ids there, too. */
async function namesOf(
  read: Reader,
  { assignee, team }: Ticket,
  shows: Gateway['statusPages']['shows'],
): Promise<Pick<Shown, 'assignee' | 'team'>> {
  const userId = /^(?:user:)?(usr_\w+)$/.exec(assignee ?? '')?.[1];
  const person = userId === undefined ? assignee : (await read.users()).find(({ id }) => id === userId)?.name;
  return {
    assignee: shows.includes('assignee') ? asName(person) : undefined,
    team: shows.includes('team') ? asName(team) : undefined,
  };
}

function asName(text: string | null | undefined): string | undefined {
  return text && !/[@:/_]|\d{4}/.test(text) ? text : undefined;
}

function languageFor(request: Request, ofTicket: string | null = null): Language {
  const { lang } = request.query;
  return wishedLanguage(
    typeof lang === 'string' ? lang : undefined,
    request.headers['accept-language'],
    ofTicket ?? undefined,
  );
}

function send(response: Response, status: number, page: string): void {
  response.status(status).set({
    'cache-control': 'no-store',
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    'x-robots-tag': 'noindex, nofollow',
  });
  response.type('html').end(page);
}

/** Here people read what went wrong. */
function answerTrouble({ log }: Gateway): ErrorRequestHandler {
  // Express knows error handlers by their four parameters.
  return (error: unknown, request: Request, response: Response, _next: unknown) => {
    const requestId = String(response.locals.requestId);
    const { status, headers } = toProblem(error, requestId);
    if (status >= 500) log.error({ requestId, error: String(error) }, 'the page of a request could not be shown');
    response.set(headers);
    // An address that can't even be decoded is as wrong as any other.
    if (status === 400) return send(response, 404, emptyPage('missing', languageFor(request)));
    const why = status === 429 ? 'tooOften' : status < 500 ? 'missing' : 'failed';
    send(response, status, emptyPage(why, languageFor(request)));
  };
}
