import type { Readable } from 'node:stream';
import type { Preview } from '../core/destination.ts';
import { NotFoundError, PermanentError } from '../core/errors.ts';
import type { Endpoint, Outbox } from '../core/gateway.ts';
import type { Store } from '../core/store.ts';
import { readCarried } from './carried.ts';
import { parked } from './channel.ts';

/** Shows what a destination would be sent for a ticket that is here. */
export function createPreview(deps: {
  readonly store: Pick<Store, 'read'>;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  readonly openAttachment: (id: string) => Promise<Readable>;
}): Outbox['preview'] {
  const { read } = deps.store;
  return async (endpointId, { ticketId, messageId }): Promise<Preview> => {
    const endpoint = deps.endpointOf(endpointId);
    if (endpoint?.role !== 'destination') throw new NotFoundError('There is no such destination');
    if (!endpoint.destination) throw parked(endpoint);
    if (!endpoint.destination.preview) throw new PermanentError(`The type ${endpoint.type} shows nothing beforehand`);
    const first = messageId ?? (await read.messages(ticketId, { limit: 1 })).data[0]?.id;
    const carried = first === undefined ? undefined : await readCarried(deps.store, first);
    if (carried?.ticket.id !== ticketId) throw new NotFoundError('There is no such ticket or message');
    return endpoint.destination.preview({ ...carried, id: 'preview', transcript: [], open: deps.openAttachment });
  };
}
