import type { DestinationType } from '../../src/core/destination.ts';
import type { Act, Behaviour, Received } from '../fakes/receiver.ts';
import { exchangeOf, faultCasesOf, settingsOf, type Case, type Exchange } from './destination-cases.ts';

/** Each call that a destination makes as it creates a ticket and goes on with it, so that every one of them can fail. */

export interface Step {
  /** `created: POST /tickets` */
  readonly name: string;
  readonly case: Case;
  /** It makes the ticket there, or writes what was said; not what is only looked up or made ready. */
  readonly writes: boolean;
  /** What was recorded, but that this call ends so, each time that it is made. */
  breaks(fault: Behaviour, root: string): { readonly behaviour: Behaviour; times(): number };
}

type Request = Pick<Received, 'method' | 'url'>;

export function stepsOf(kind: DestinationType, home: string): Step[] {
  if (kind.capabilities.carries !== 'tickets') return [];
  return faultCasesOf(home, kind).flatMap((one) => {
    const { apiRoot = '' } = kind.config.parse(settingsOf(one.settings)) as { apiRoot?: string };
    const exchange = exchangeOf(home, one.name);
    return exchange.map(({ request }, index) => ({
      name: `${one.name}: ${placeOf(request, apiRoot)}`,
      case: one,
      writes: writesOf(exchange, one).includes(index),
      breaks: (fault: Behaviour, root: string) => breakAt(exchange, { index, fault, apiRoot, root }),
    }));
  });
}

/** The call whose answer is the first to name the ticket, and the last one that does more than ask. */
function writesOf(exchange: Exchange, { returns }: Case): number[] {
  const writing = exchange.flatMap(({ request }, index) => (request.method === 'GET' ? [] : [index]));
  // Where a name says of what kind it is (`D_57`), the answer has only the number.
  const name = (returns as { externalId?: string } | undefined)?.externalId?.split('_').at(-1);
  const names = writing.find((index) => name !== undefined && JSON.stringify(exchange[index]!.response).includes(name));
  return [...new Set([names, writing.at(-1)])].flatMap((index) => index ?? []);
}

interface Break {
  readonly index: number;
  readonly fault: Behaviour;
  /** Where the far side was when it was recorded, and where it is now. */
  readonly apiRoot: string;
  readonly root: string;
}

function breakAt(exchange: Exchange, { index, fault, apiRoot, root }: Break) {
  const path = new URL(root).pathname;
  let [made, times] = [0, 0];
  let broken: string | undefined;
  const behaviour = (request: Received): Act => {
    const place = placeOf(request, path);
    if (made === index) broken = place;
    const inOrder = exchange[made++];
    const known = broken ? exchange.find((each) => placeOf(each.request, apiRoot) === place) : inOrder;
    if (known && place !== broken) return answerOf(known.response, apiRoot, root);
    times++;
    return typeof fault === 'function' ? fault(request) : fault;
  };
  return { behaviour, times: () => times };
}

function answerOf({ status, headers, body }: Exchange[number]['response'], apiRoot: string, root: string): Act {
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
  // An answer may say where to go on.
  return { status, headers, body: apiRoot === '' ? text : text.replaceAll(apiRoot, root) };
}

/** `POST /tickets/35`, without what stands in front of it and what it asks for. */
function placeOf({ method, url }: Request, root: string): string {
  const { pathname } = new URL(url, 'http://far');
  const front = new URL(root, 'http://far').pathname;
  return `${method} ${pathname.startsWith(front) && front !== '/' ? pathname.slice(front.length) : pathname}`;
}
