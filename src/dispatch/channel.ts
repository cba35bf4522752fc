import type { Channel } from '../core/connector.ts';
import { PermanentError, RateLimitedError } from '../core/errors.ts';
import type { Endpoint } from '../core/gateway.ts';

/** The open channel of a task. One that was removed is final; one that is closed is waited for. */
export function openChannel(
  endpointOf: (id: string) => Endpoint | undefined,
  id: string,
): { readonly channel: Channel; readonly type: string } {
  const endpoint = endpointOf(id);
  if (!endpoint) throw new PermanentError(`the channel ${id} was removed`);
  if (!endpoint.channel) throw parked(endpoint);
  return { channel: endpoint.channel, type: endpoint.type };
}

/** The open channel or destination that a file comes from. */
export function openSource(endpointOf: (id: string) => Endpoint | undefined, id: string): Pick<Channel, 'download'> {
  const endpoint = endpointOf(id);
  if (!endpoint) throw new PermanentError(`${id} was removed`);
  const source = endpoint.channel ?? endpoint.destination;
  if (!source) throw parked(endpoint);
  return source;
}

/** Not lost and no try spent: the task goes on when its endpoint is open again. */
export function parked({ id, problem }: Endpoint): RateLimitedError {
  return new RateLimitedError(`${id} is closed: ${problem ?? 'disabled'}`, 60_000);
}
