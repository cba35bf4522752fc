/**
 * Where MAX keeps what people send, and takes what bots send: nothing else is called for an address out of a message.
 * https://dev.max.ru/docs-api/methods/POST/uploads names `fu.oneme.ru`, `iu.oneme.ru` and `vu.okcdn.ru`; files are handed
 * out by the same two.
 */
const HOSTS = ['oneme.ru', 'okcdn.ru', 'mycdn.me', 'max.ru'];

/** Whether an address is one of MAX's, or of the stand-in or proxy that the operator named. */
export function isOfMax(address: string | URL, apiRoot: string): boolean {
  if (!URL.canParse(String(address))) return false;
  const { protocol, hostname, host, port } = new URL(address);
  if (host === new URL(apiRoot).host) return true;
  return (
    protocol === 'https:' && port === '' && HOSTS.some((known) => hostname === known || hostname.endsWith(`.${known}`))
  );
}
