import type { Envelope } from '../core/envelope.ts';
import type { TicketRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { AcceptDeps, Source } from './accept.ts';
import { cleanLine, languageOf } from './canonical.ts';

/** Opens a ticket for what a customer has sent. */
export async function createTicket(
  tx: Transaction,
  envelope: Envelope,
  source: Source,
  deps: AcceptDeps,
  customerId: string,
): Promise<TicketRow> {
  const row = {
    id: deps.newId('tkt'),
    subject: subjectOf(envelope),
    status: 'new',
    priority: 'normal',
    channelId: source.endpointId,
    customerId,
    assignee: null,
    team: null,
    tags: [],
    fields: {},
    language: languageOf(envelope.text) ?? envelope.sender.locale?.slice(0, 2) ?? null,
    createdAt: source.receivedAt,
  } as const;
  const number = await tx.insertTicket(row);
  return {
    ...row,
    number,
    lastSeq: 0,
    version: 0,
    updatedAt: source.receivedAt,
    lastInboundAt: null,
    closedAt: null,
    mergedInto: null,
  };
}

function subjectOf(envelope: Envelope): string {
  if (envelope.subject) return envelope.subject;
  const first = cleanLine(envelope.text.slice(0, 400));
  if (first === '') return envelope.sender.name ?? envelope.kind;
  // Cut at a space where there is one, so that no word is halved.
  return first.length <= 80 ? first : `${first.slice(0, 80).replace(/\s\S*$/, '')}…`;
}
