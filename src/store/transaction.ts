import type { Transaction } from '../core/store.ts';
import { accessOf } from './access.ts';
import { attachmentsOf } from './attachments.ts';
import { endpointStatesOf } from './endpoint-states.ts';
import { filingOf } from './filing.ts';
import { outboxOf } from './outbox.ts';
import { peopleOf } from './people.ts';
import type { Sql } from './sql.ts';
import { ticketsOf } from './tickets.ts';

/** Every statement of the contract over one connection. */
export function transactionOf(sql: Sql): Transaction {
  return {
    ...filingOf(sql),
    ...attachmentsOf(sql),
    ...peopleOf(sql),
    ...ticketsOf(sql),
    ...outboxOf(sql),
    ...endpointStatesOf(sql),
    ...accessOf(sql),
  };
}
