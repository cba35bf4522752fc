import type { ItemInput } from '../../core/envelope.ts';
import { looksLikeOurs } from '../../core/mail-address.ts';
import type { Automatic } from './automatic.ts';
import type { Mail } from './mail.ts';
import { isDelay } from './phrases.ts';

type Receipt = Extract<ItemInput, { readonly kind: 'receipt' }>;

/**
 * What a machine says about an answer of ours: that it failed, arrived or was read. Undefined when it is about no answer
 * of ours, or says nothing of the kind. The answer's Message-ID carries our proof, so whoever names it has had it.
 */
export function receiptOf(
  mail: Mail,
  automatic: Automatic | undefined,
  references: readonly string[],
  occurredAt: number,
): Receipt | undefined {
  if (automatic !== 'bounce' && automatic !== 'receipt') return undefined;
  const externalId = [mail.report.about, ...references.toReversed()].find(looksLikeOurs);
  const state = automatic === 'bounce' ? bounceState(mail) : readState(mail);
  if (externalId === undefined || state === undefined) return undefined;
  return { kind: 'receipt', externalId, state, occurredAt, ...(state === 'failed' && { reason: reasonOf(mail) }) };
}

/** Undefined while the server still tries. */
function bounceState({ report, subject }: Mail): Receipt['state'] | undefined {
  const { action } = report;
  if (action === 'delayed' || (action === '' && isDelay(subject))) return undefined;
  return ['delivered', 'relayed', 'expanded'].includes(action) ? 'delivered' : 'failed';
}

/** Programs also tell when a mail was thrown away unread. */
function readState({ report: { disposition } }: Mail): Receipt['state'] | undefined {
  return disposition === 'displayed' ? 'read' : undefined;
}

/** Which address, and the server's words. */
function reasonOf({ report: { recipient, status, reason }, subject }: Mail): string {
  const said = reason === '' ? `${status} ${subject}` : reason;
  return `${recipient === '' ? '' : `${recipient}: `}${said.trim()}`.replace(/\s+/g, ' ').slice(0, 500).toWellFormed();
}
