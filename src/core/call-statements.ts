import type { CallRow, KnownCall, MessageContent, MessageRow } from './rows.ts';

/** The statements about calls: they may stand in no ticket, and are put together from all that is said of them. */
export interface CallStatements {
  /** Of those in no ticket; `findMessage` and `message` give the others. */
  looseCall(endpointId: string, externalId: string): Promise<CallRow | undefined>;
  looseCallById(id: string): Promise<CallRow | undefined>;
  /** All that `saveRevision` kept, as JSON. */
  saidOf(messageId: string): Promise<readonly string[]>;
  /** Replaces what is known of a call, keeping no history, and puts it into a ticket. */
  updateCall(
    id: string,
    row: Pick<CallRow, 'author' | 'verified' | 'customerId' | 'direction'> & { readonly content: MessageContent },
    place?: Pick<MessageRow, 'ticketId' | 'seq' | 'rule' | 'evidence'>,
  ): Promise<void>;
  /** Takes from what may be spent under a name in all; false, and nothing taken, when it is more than what is left. */
  spend(name: string, amount: number, most: number): Promise<boolean>;
  /** Both ways, the last ones. */
  callsWith(customerId: string): Promise<readonly KnownCall[]>;
}
