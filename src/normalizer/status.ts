import type { TicketStatus } from '../core/ticket.ts';

/** When a ticket with this status was closed, if it is. */
export function closedAt(status: TicketStatus, now: number): number | null {
  return status === 'solved' || status === 'closed' ? now : null;
}
