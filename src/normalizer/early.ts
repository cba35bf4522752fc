import type { Item } from '../core/envelope.ts';
import type { MessageRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { ChangeType } from '../core/ticket.ts';
import type { Accepted, Source } from './accept.ts';
import { deletePart } from './album.ts';
import type { Announcer } from './announce.ts';
import { follow, tell } from './follow.ts';

/** An item about a message that is filed on its own: it may come before that message. */
type Aside = Extract<Item, { kind: 'receipt' | 'deletion' | 'reaction' }>;

/** Files a receipt, deletion or reaction; one that comes before its message waits for it. */
export async function settleItem(
  tx: Transaction,
  announcer: Announcer,
  item: Aside,
  source: Source,
): Promise<Accepted> {
  const message =
    (await tx.findMessage(source.endpointId, item.externalId)) ??
    (await tx.messageOfPart(source.endpointId, item.externalId));
  const outcome = item.kind === 'receipt' ? 'receipt' : 'revised';
  if (!message) {
    await tx.saveEarly(source.endpointId, item.externalId, item, source.receivedAt);
    return {
      outcome,
      externalId: item.externalId,
      reason: `${item.kind} of a message that has not arrived: waits for it`,
    };
  }
  await apply(tx, announcer, item, message, source);
  const reason = item.kind === 'receipt' ? item.state : item.kind;
  return { outcome, reason, externalId: item.externalId, ticketId: message.ticketId, messageId: message.id };
}

/** Applies what came before its message did. */
export async function settleEarly(
  tx: Transaction,
  announcer: Announcer,
  source: Pick<Source, 'endpointId' | 'receivedAt' | 'origin'>,
  externalId: string,
): Promise<void> {
  const items = (await tx.takeEarly(source.endpointId, externalId)) as readonly Aside[];
  if (items.length === 0) return;
  const message =
    (await tx.findMessage(source.endpointId, externalId)) ?? (await tx.messageOfPart(source.endpointId, externalId));
  if (!message) return;
  for (const item of items) await apply(tx, announcer, item, message, source);
}

/** How far an answer has come; a receipt that comes late never takes it back. */
const PROGRESS = { waiting: 0, sent: 1, delivered: 2, read: 3, failed: 4, replaced: 5 } as const;

async function apply(
  tx: Transaction,
  announcer: Announcer,
  item: Aside,
  message: MessageRow,
  source: Pick<Source, 'endpointId' | 'receivedAt' | 'origin'>,
): Promise<void> {
  let type: ChangeType = 'message.updated';
  if (item.kind === 'deletion') {
    if (message.deletedAt !== null || (await deletePart(tx, announcer, message, item.externalId, source))) return;
    await tx.deleteMessage(message.id, item.occurredAt);
  } else if (item.kind === 'reaction') {
    const [author] = item.sender.identifiers;
    if (!author) return;
    await tx.saveReaction(message.id, `${author.kind}:${author.value}`, item.emoji, item.occurredAt);
  } else {
    if (PROGRESS[item.state] <= PROGRESS[message.delivery?.state ?? 'waiting']) return;
    await tx.setDelivery(message.id, { state: item.state, error: item.reason });
    if (item.state === 'failed') type = 'message.failed';
    if (item.state === 'delivered') type = 'message.delivered';
  }
  const changeSeq = await tell(tx, announcer, type, message, source);
  if (item.kind === 'deletion') await follow(tx, announcer, message, { changeSeq });
}
