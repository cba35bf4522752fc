import type { callOutcomes } from '../../core/envelope.ts';
import type { Direction } from './fields.ts';

type Outcome = (typeof callOutcomes)[number];

/** Why nobody was reached; UIS and CallGear use other words for one thing (`subscriber`, `caller`). */
const BUSY: ReadonlySet<string> = new Set(['subscriber_busy', 'caller_busy']);
/** What keeps a call from being made at all. https://callgear.github.io/data_api/report/get_calls_report/ */
const BARRED: ReadonlySet<string> = new Set([
  ...['numb_not_exists', 'incorrect_input', 'subscriber_number_problems', 'caller_number_problems', 'locked_numb'],
  ...['operator_number_problems', 'call_not_allowed_on_tp', 'no_money', 'not_enough_money', 'limit_exceeded'],
  ...['account_not_found', 'contract_not_found', 'component_is_inactive', 'app_is_inactive', 'incorrect_config'],
  ...['internal_error', 'platform_not_found', 'communication_unavailable', 'no_resources', 'max_out_call_reached'],
  ...['net_lock', 'locked_phone', 'sip_offline', 'sip_trunk_is_locked', 'api_permission_denied', 'api_ip_now_allowed'],
  ...['out_call_not_allowed', 'out_call_not_allowed_by_status'],
  ...['external_call_not_allowed', 'external_call_not_allowed_by_status'],
]);

/** What became of a call that is over. A customer who reached nobody was missed, whatever kept the employees from it. */
export function outcomeOf(end: {
  readonly talked: boolean;
  readonly leftMessage: boolean;
  readonly direction: Direction | undefined;
  readonly reason: string | undefined;
}): Outcome {
  if (end.talked) return 'answered';
  if (end.direction !== 'outbound') return end.leftMessage ? 'voicemail' : 'missed';
  const { reason = '' } = end;
  if (BUSY.has(reason)) return 'busy';
  return BARRED.has(reason) ? 'failed' : 'missed';
}
