/** What may be kept of a request: everything but the credentials in it. */

const SECRET_NAME = /^(cookie|authorization|proxy-authorization)$|secret|token|password|passwd|api-?key|apikey/i;
export const REDACTED = '[redacted]';

/** Headers with the values of credentials taken out. Signatures stay: they prove, they don't open. */
export function redactHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) kept[name] = SECRET_NAME.test(name) ? REDACTED : value;
  return kept;
}

/** A path with its query, the values of credentials taken out. */
export function redactUrl(url: string): string {
  const start = url.indexOf('?');
  if (start < 0) return url;
  const pairs = url
    .slice(start + 1)
    .split('&')
    .map((pair) => {
      const name = pair.split('=', 1)[0] ?? '';
      return SECRET_NAME.test(name) ? `${name}=${REDACTED}` : pair;
    });
  return `${url.slice(0, start)}?${pairs.join('&')}`;
}
