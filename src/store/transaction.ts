import type { Transaction } from '../core/store.ts';
import { accessOf } from './access.ts';
import { albumsOf } from './albums.ts';
import { attachmentsOf } from './attachments.ts';
import { endpointStatesOf } from './endpoint-states.ts';
import { callsOf } from './calls.ts';
import { filingOf } from './filing.ts';
import { followingOf } from './following.ts';
import { linksOf } from './links.ts';
import { outboxOf } from './outbox.ts';
import { peopleOf } from './people.ts';
import { processesOf } from './processes.ts';
import { replaysOf } from './replays.ts';
import type { Recent } from './recent.ts';
import type { Sql } from './sql.ts';
import { ticketsOf } from './tickets.ts';

/** Every statement of the contract over one connection. */
export function transactionOf(sql: Sql, recent: Recent): Transaction {
  return {
    ...filingOf(sql),
    ...callsOf(sql),
    ...attachmentsOf(sql),
    ...albumsOf(sql),
    ...peopleOf(sql, recent),
    ...ticketsOf(sql, recent),
    ...outboxOf(sql),
    ...replaysOf(sql),
    ...linksOf(sql),
    ...followingOf(sql),
    ...endpointStatesOf(sql),
    ...processesOf(sql),
    ...accessOf(sql),
  };
}
