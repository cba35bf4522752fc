import { equalSecrets } from './secret.ts';
import { shortProof } from './signature.ts';

export const shownNames = ['assignee', 'team'] as const;

/** Where customers look how their request is doing. Plain data: it goes to other threads. */
export interface StatusPages {
  /** 32 bytes of this installation. */
  readonly key: Uint8Array;
  readonly publicUrl: string;
  /** Names that they may read there. */
  readonly shows: readonly (typeof shownNames)[number][];
  /** Milliseconds that a page is there after its request was closed. */
  readonly closedForMs: number;
}

const TOKEN = /^(tkt_[0-9a-z]{26})\.([0-9a-v]{26})$/;

/**
 * The address of a ticket's page. It is all that it takes to see it, so it goes to nobody but the customer and those who
 * may read the ticket. The ticket's id, not its number: after a restore from a backup numbers are given again.
 */
export function statusUrlOf({ key, publicUrl }: Pick<StatusPages, 'key' | 'publicUrl'>, ticketId: string): string {
  return `${publicUrl}/status/${ticketId}.${proofOf(key, ticketId)}`;
}

/** The ticket whose page an address names; undefined unless the address was made here. Whether there is such a ticket makes no difference. */
export function statusTicketOf({ key }: Pick<StatusPages, 'key'>, token: string): string | undefined {
  const [, ticketId = '', proof = ''] = TOKEN.exec(token) ?? [];
  return equalSecrets(proof, proofOf(key, ticketId)) ? ticketId : undefined;
}

function proofOf(key: Uint8Array, ticketId: string): string {
  return shortProof(Buffer.from(key), `status of ${ticketId}`);
}
