import { isIP } from 'node:net';
import type { Resolve } from './agents.ts';
import { isName } from './agents.ts';
import { codes, failureAt, withCode } from './failure.ts';
import type { Guard } from './guard.ts';
import { normalHost } from './guard.ts';

/**
 * The first address of a host, once the guard has let every one of them pass: for protocols whose clients
 * take an address. It is this address that must be connected to, or a name could mean another one by then.
 */
export async function resolveAddress(
  { guard, resolve, deadlineMs }: { guard: Guard; resolve: Resolve; deadlineMs: number },
  host: string,
  port: number,
): Promise<string> {
  const target = { host: normalHost(host), port };
  try {
    const found = await addressesOf(target.host, resolve, deadlineMs);
    const [first] = found;
    if (first === undefined || !found.every((address) => guard(target, address))) {
      throw withCode(codes.refused, 'this address may not be called');
    }
    return first;
  } catch (error) {
    throw failureAt(`${target.host}:${port}`, error, { outcomeUnknown: false });
  }
}

async function addressesOf(host: string, resolve: Resolve, deadlineMs: number): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  if (!isName(host)) return [];
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    const late = withCode(codes.connectDeadline, `its host name was not resolved within ${deadlineMs} ms`);
    timer = setTimeout(() => reject(late), deadlineMs);
  });
  try {
    const found = await Promise.race([resolve(host), deadline]);
    return found.map(({ address }) => address);
  } finally {
    clearTimeout(timer);
  }
}
