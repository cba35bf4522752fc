import type { Envelope } from '../core/envelope.ts';
import type { Transaction } from '../core/store.ts';
import type { Source } from './accept.ts';
import type { Announcer } from './announce.ts';

/** How long a channel isn't asked about the same customer again, milliseconds. */
const ASK_AGAIN_MS = 24 * 3_600_000;

/** Has the channel asked who somebody is whom the platform only numbers, until he has a name. */
export async function askProfile(
  tx: Transaction,
  announcer: Announcer,
  { sender }: Envelope,
  about: { readonly messageId: string; readonly customerId: string | undefined; readonly source: Source },
): Promise<void> {
  const { messageId, customerId, source } = about;
  if (!source.knowsPeople || customerId === undefined) return;
  // What the platform doesn't vouch for may be somebody else's, and so would be his name.
  if (!sender.identifiers.some(({ trust }) => trust === 'verified')) return;
  const { endpointId, receivedAt } = source;
  if (!(await tx.askProfile(customerId, receivedAt, receivedAt - ASK_AGAIN_MS))) return;
  // No ticket: it waits for nothing, and nothing waits for it.
  await announcer.task({ kind: 'profile', type: 'profile', endpointId, messageId });
}
