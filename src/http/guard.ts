import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = readonly [Address, number];

/** Where calls may go. */
export interface Rules {
  /** Opened by the operator for every endpoint: `host`, `host:port`, an address, a CIDR. No port means every port. */
  readonly allow: readonly string[];
  /** Named by the operator for this endpoint: `host` (its usual ports) or `host:port`. */
  readonly hosts: readonly string[];
  /** Ports of everything that nobody named: those of the web, or of mail. */
  readonly ports: readonly number[];
}

/** Whether a socket to that host and port may be connected to that address. */
export type Guard = (target: { readonly host: string; readonly port: number }, address: string) => boolean;

/**
 * Answers where machines in a cloud learn their credentials, and the platforms' other inner services: never
 * to be reached, whatever anybody configured.
 */
const METADATA = [
  '169.254.169.254/32',
  '169.254.170.2/32',
  '169.254.170.23/32',
  '100.100.100.200/32',
  '192.0.0.192/32',
  '168.63.129.16/32',
  'fd00:ec2::254/128',
  'fd00:ec2::23/128',
  'fd20:ce::254/128',
].map(networkOf);

/** The only part of IPv6 that is public at all; what ipaddr.js calls unicast is more. */
const GLOBAL_IPV6 = networkOf('2000::/3');

/** IPv6 ranges that carry an IPv4 address: where in the eight 16-bit parts it stands. */
const CARRIERS = [
  { network: networkOf('::/96'), at: 6 },
  { network: networkOf('::ffff:0:0:0/96'), at: 6 },
  { network: networkOf('64:ff9b::/96'), at: 6 },
  { network: networkOf('64:ff9b:1::/48'), at: 6 },
  { network: networkOf('2002::/16'), at: 1 },
];

export function createGuard(rules: Rules): Guard {
  const allow = rules.allow.map(entryOf);
  const hosts = rules.hosts.map(entryOf);
  const isUsual = (port: number) => rules.ports.includes(port);

  const isNamed = (host: string, port: number) =>
    hosts.some((entry) => entry.host === host && (entry.port === undefined ? isUsual(port) : entry.port === port)) ||
    allow.some((entry) => entry.host === host && (entry.port ?? port) === port);

  const isOpened = (address: Address, port: number) =>
    allow.some((entry) => entry.network && contains(entry.network, address) && (entry.port ?? port) === port);

  return (target, text) => {
    if (isIP(text) === 0) return false;
    const address = ipaddr.process(text);
    if (isMetadata(address)) return false;
    if (isNamed(normalHost(target.host), target.port)) return true;
    return isOpened(address, target.port) || (isUsual(target.port) && isPublic(address));
  };
}

/** One spelling for a host: lower case, no brackets, no dot at the end, addresses in their shortest form. */
export function normalHost(host: string): string {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0) return ipaddr.process(bare).toString();
  let end = bare.length;
  while (bare[end - 1] === '.') end--;
  return bare.slice(0, end).toLowerCase();
}

/** An entry of a list: `10.0.0.0/8`, `10.0.0.2`, `10.0.0.2:8080`, `[::1]:8080`, `crm.internal`, `crm.internal:8080`. */
function entryOf(text: string): { host?: string; network?: Network; port?: number } {
  if (text.includes('/')) return { network: networkOf(text) };
  const [, host = text, port] = isIP(text) === 6 ? [] : (/^(.+?)(?::(\d{1,5}))?$/.exec(text) ?? []);
  const name = normalHost(host);
  const network = isIP(name) === 0 ? undefined : networkOf(`${name}/${isIP(name) === 4 ? 32 : 128}`);
  return { host: name, ...(network && { network }), ...(port !== undefined && { port: Number(port) }) };
}

function networkOf(text: string): Network {
  return ipaddr.parseCIDR(text);
}

function contains([base, bits]: Network, address: Address): boolean {
  return base.kind() === address.kind() && address.match(base, bits);
}

function isMetadata(address: Address): boolean {
  return [address, ...carriedBy(address)].some((each) => METADATA.some((network) => contains(network, each)));
}

function isPublic(address: Address): boolean {
  return address.range() === 'unicast' && (address.kind() === 'ipv4' || contains(GLOBAL_IPV6, address));
}

/** The IPv4 address inside an IPv6 one, by which a gateway would go on. */
function carriedBy(address: Address): Address[] {
  if (!('parts' in address)) return [];
  const { parts } = address;
  return CARRIERS.filter(({ network }) => contains(network, address)).map(
    ({ at }) => new ipaddr.IPv4([parts[at] ?? 0, parts[at + 1] ?? 0].flatMap((part) => [part >> 8, part & 0xff])),
  );
}
