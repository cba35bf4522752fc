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
  return url.replace(/([?&])([^=&#]*)=([^&#]*)/g, (whole, mark: string, name: string) =>
    SECRET_NAME.test(name) ? `${mark}${name}=${REDACTED}` : whole,
  );
}
