/** What an address of ours asks for. */
export interface Route {
  readonly endpointId: string;
  /** The secret part of the address, decoded; undefined when it has none. */
  readonly token: string | undefined;
  /** `webhook`: any endpoint. `form` and `script`: the hosted form of a channel and what puts it into a site. */
  readonly place: 'webhook' | 'form' | 'script';
  /** Path and query without the token. */
  readonly url: string;
}

const WEBHOOKS = '/webhooks/';
const FORMS = '/forms/';

/** Reads a request's target. `unknown`: below our paths, but nothing; undefined: not ours, somebody else may answer. */
export function routeOf(target: string): Route | 'unknown' | undefined {
  if (target.startsWith(WEBHOOKS)) return webhookOf(target);
  return target.startsWith(FORMS) ? formOf(target) : undefined;
}

function webhookOf(target: string): Route | 'unknown' {
  const end = endOfPath(target);
  const slash = target.indexOf('/', WEBHOOKS.length);
  const endOfId = slash < 0 || slash > end ? end : slash;
  const endpointId = target.slice(WEBHOOKS.length, endOfId);
  if (endOfId + 1 >= end) return { endpointId, token: undefined, place: 'webhook', url: target };
  const token = decode(target.slice(endOfId + 1, end));
  if (token === undefined) return 'unknown';
  return { endpointId, token, place: 'webhook', url: target.slice(0, endOfId) + target.slice(end) };
}

function formOf(target: string): Route | 'unknown' {
  const [endpointId = '', ...rest] = target.slice(FORMS.length, endOfPath(target)).split('/', 3);
  const name = rest.join('/');
  if (name !== '' && name !== 'embed.js') return 'unknown';
  return { endpointId, token: undefined, place: name === '' ? 'form' : 'script', url: target };
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
