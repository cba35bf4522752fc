import type { IncomingMessage } from 'node:http';
import { isIP, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

type IsTrusted = (address: string) => boolean;

/** Whether an address belongs to one of the proxies: `10.0.0.0/8`, `fd00::/8` or single addresses. */
export function createIsTrusted(proxies: readonly string[]): IsTrusted {
  const ranges = proxies.map((text) => (text.includes('/') ? ipaddr.parseCIDR(text) : wholeOf(text)));
  if (ranges.length === 0) return () => false;
  return (address) => {
    if (isIP(address) === 0) return false;
    const parsed = ipaddr.process(address);
    return ranges.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
  };
}

function wholeOf(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  const address = ipaddr.parse(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/**
 * Who sent a request: the peer, or, where the peer is a trusted proxy, the last address in
 * X-Forwarded-For that isn't one. What a stranger writes into that header never counts.
 */
export function addressOf(request: IncomingMessage, isTrusted: IsTrusted): string | undefined {
  const peer = plain(request.socket.remoteAddress);
  if (peer === undefined || !isTrusted(peer)) return peer;
  let last = peer;
  const forwarded = request.headers['x-forwarded-for'];
  for (const hop of String(forwarded ?? '')
    .split(',')
    .reverse()) {
    const address = plain(hop.trim());
    if (address === undefined || isIP(address) === 0) return last;
    last = address;
    if (!isTrusted(address)) return last;
  }
  return last;
}

/** IPv4 as IPv4, also where the socket speaks IPv6. */
function plain(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** Under which name an address is counted: IPv6 by its /64, because one line owns all of it. */
export function counterOf(address: string | undefined): string {
  if (address === undefined || !isIPv6(address)) return address ?? 'unknown';
  return ipaddr.IPv6.parse(address).parts.slice(0, 4).join(':');
}
