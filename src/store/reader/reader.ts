import type { Reader } from '../../core/reader.ts';
import type { Blobs } from '../../core/store.ts';
import type { Search } from '../search.ts';
import { accessIn } from './access.ts';
import { changesIn, type Horizon } from './changes.ts';
import { countsIn } from './counts.ts';
import { customersIn } from './customers.ts';
import type { Db } from './kysely.ts';
import { ledgerIn } from './ledger.ts';
import { messagesIn } from './messages.ts';
import { movesIn } from './moves.ts';
import { processesIn } from './processes.ts';
import { progressIn } from './progress.ts';
import { outboxIn } from './outbox.ts';
import { replaysIn } from './replays.ts';
import { ticketsIn } from './tickets.ts';

/**
 * Everything that is read outside a transaction, with the same queries on every database. A page of whatever costs a
 * constant number of queries, each of which finds its rows by an index. `typeOf` names the type of an endpoint.
 */
export function createReader(sources: {
  readonly db: Db;
  readonly horizon: Horizon;
  readonly search: Pick<Search, 'ticketIds' | 'customerIds'>;
  readonly blobs: Blobs;
  readonly typeOf: (endpointId: string) => string;
}): Reader {
  const { db, horizon, search, blobs, typeOf } = sources;
  const { viewsOf: ticketViews, ...tickets } = ticketsIn({
    db,
    typeOf,
    find: (q, limit) => search.ticketIds(q, limit),
  });
  const { viewsOf: messageViews, ...messages } = messagesIn({ db, typeOf });
  const { viewsOf: customerViews, ...customers } = customersIn({
    db,
    find: (q, limit) => search.customerIds(q, limit),
  });
  return {
    ...tickets,
    ...messages,
    ...customers,
    ...movesIn(db),
    ...ledgerIn({ db, blobs }),
    ...outboxIn(db),
    ...replaysIn(db),
    ...processesIn(db),
    ...progressIn(db),
    ...changesIn({ db, horizon, tickets: ticketViews, messages: messageViews, customers: customerViews }),
    ...accessIn(db),
    ...countsIn(db),
  };
}
