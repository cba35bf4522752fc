/** What an address of ours asks for. */
export interface Route {
  readonly endpointId: string;
  /** The secret part of the address, decoded; undefined when it has none. */
  readonly token: string | undefined;
  /** What stands behind the id can't be a token: nothing, but for channels whose vendors put names of their own there. */
  readonly below: boolean;
  /** The only type of channel that has an address there; undefined: all have. */
  readonly type: 'form' | 'web_chat' | undefined;
  /** `aside`: nothing is sent there, only asked for (what puts a form into a site). */
  readonly place: 'target' | 'aside';
  /** Path and query without the token. */
  readonly url: string;
}

const WEBHOOKS = '/webhooks/';

/** Channels that have pages or scripts of their own, and what is beside the address where they are sent to. */
const HOSTED = [
  { path: '/forms/', type: 'form', asides: ['embed.js'] },
  { path: '/chat/', type: 'web_chat', asides: ['widget.js', 'session'] },
] as const;
/** What was said in a chat is read elsewhere: it needs the store. */
const READ_ELSEWHERE = /^\/chat\/[^/?]*\/(messages|files)(\/|\?|$)/;

/** Reads a request's target. `unknown`: below our paths, but nothing; undefined: not ours, somebody else may answer. */
export function routeOf(target: string): Route | 'unknown' | undefined {
  if (target.startsWith(WEBHOOKS)) return webhookOf(target);
  const hosted = HOSTED.find(({ path }) => target.startsWith(path));
  return hosted && !READ_ELSEWHERE.test(target) ? hostedOf(target, hosted) : undefined;
}

function webhookOf(target: string): Route {
  const end = endOfPath(target);
  const slash = target.indexOf('/', WEBHOOKS.length);
  const endOfId = slash < 0 || slash > end ? end : slash;
  const endpointId = target.slice(WEBHOOKS.length, endOfId);
  const route = { endpointId, type: undefined, place: 'target' } as const;
  if (endOfId + 1 >= end) return { ...route, token: undefined, below: false, url: target };
  const token = decode(target.slice(endOfId + 1, end));
  return { ...route, token, below: token === undefined, url: target.slice(0, endOfId) + target.slice(end) };
}

function hostedOf(target: string, { path, type, asides }: (typeof HOSTED)[number]): Route | 'unknown' {
  const [endpointId = '', ...rest] = target.slice(path.length, endOfPath(target)).split('/', 3);
  const name = rest.join('/');
  const isAside = asides.some((aside) => aside === name);
  if (name !== '' && !isAside) return 'unknown';
  return { endpointId, token: undefined, below: false, type, place: isAside ? 'aside' : 'target', url: target };
}

function endOfPath(target: string): number {
  const query = target.indexOf('?');
  return query < 0 ? target.length : query;
}

/** A token's text, or undefined when it can't be one: two parts, or a broken escape. */
function decode(segment: string): string | undefined {
  if (segment.includes('/')) return undefined;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
