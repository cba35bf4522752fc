import type { LedgerEvent } from '../../views.ts';
import type { LedgerTexts } from './texts.ts';

const rules = ['ticket_number', 'reference', 'thread', 'recent', 'new'] as const;
/** Why something is in its ticket. */
export type Rule = (typeof rules)[number];

/** The rule that chose the ticket with its evidence, where the ledger says it: `thread: chat 7`. */
export function ruleOf({
  outcome,
  reason,
}: Pick<LedgerEvent, 'outcome' | 'reason'>): { readonly rule: Rule; readonly evidence: string } | undefined {
  if (reason === null || (outcome !== 'ticket_created' && outcome !== 'appended')) return undefined;
  const end = reason.indexOf(': ');
  const rule = rules.find((one) => one === reason.slice(0, Math.max(0, end)));
  return rule && { rule, evidence: reason.slice(end + 2) };
}

/** One line of why. */
export function shortReason(event: Pick<LedgerEvent, 'outcome' | 'reason'>, words: LedgerTexts): string {
  const found = ruleOf(event);
  return found ? words.rules[found.rule] : (event.reason ?? '');
}
