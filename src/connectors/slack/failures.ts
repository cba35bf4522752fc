import { z } from 'zod';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../../core/errors.ts';
import type { TributaryError } from '../../core/errors.ts';

/** How Slack says no, with status 200: https://docs.slack.dev/apis/web-api#responses */
export const Refusal = z.object({
  ok: z.literal(false),
  error: z.string().catch('no reason given'),
  needed: z.string().optional().catch(undefined),
  response_metadata: z
    .object({ messages: z.array(z.string()).catch([]) })
    .optional()
    .catch(undefined),
});

const LOCKED: readonly string[] = [
  'invalid_auth',
  'not_authed',
  'account_inactive',
  'token_revoked',
  'token_expired',
  'not_allowed_token_type',
];
const BUSY: readonly string[] = ['ratelimited', 'rate_limited'];
/** Slack's own trouble. It may have done some of it all the same. */
const BROKEN: readonly string[] = ['internal_error', 'fatal_error'];
const DOWN: readonly string[] = ['service_unavailable', 'request_timeout', 'team_added_to_org'];

const HINTS: Readonly<Record<string, string>> = {
  missing_scope: 'Add the scopes in the app’s page OAuth & Permissions, then install the app again.',
  not_in_channel: 'Invite the app into the channel: /invite @app.',
  channel_not_found: 'Invite the app into the channel, or enter the token of the workspace that it belongs to.',
  is_archived: 'The channel is archived: answer elsewhere.',
  restricted_action: 'A setting of the workspace or channel keeps apps from posting there.',
  restricted_action_thread_locked: 'The thread is locked: answer elsewhere.',
  thread_not_found: 'The first message of the thread was deleted: answer elsewhere.',
  cannot_reply_to_message: 'Nobody can reply to this message: answer elsewhere.',
  messages_tab_disabled: 'Switch on the Messages Tab in the app’s page App Home.',
  message_limit_exceeded: 'The workspace has used up the messages of its plan.',
  access_denied: 'A setting of the workspace keeps the app from it.',
  link_disabled: 'Switch on Socket Mode in the app’s page.',
  file_deleted: 'The customer has deleted the file.',
  file_not_found: 'The file is deleted, or was never shared with the app.',
};

/** What Slack refused, as our errors. */
export function refusalOf(method: string, refusal: z.output<typeof Refusal>): TributaryError {
  const { error, needed, response_metadata } = refusal;
  const more = [needed && `needs ${needed}`, ...(response_metadata?.messages ?? [])].filter(Boolean).join('; ');
  const text = `${method}: ${error}${more && ` (${more})`}`.slice(0, 1000);
  const response = { status: 200, text: error.slice(0, 2048) };
  if (LOCKED.includes(error)) {
    const hint = 'Install the app again (OAuth & Permissions) and enter its tokens: the old ones are no longer valid.';
    return new AuthExpiredError(text, { response, hint });
  }
  if (BUSY.includes(error)) return new RateLimitedError(text, undefined, { response });
  if (BROKEN.includes(error)) return new RetryableError(text, { response, outcomeUnknown: true });
  if (DOWN.includes(error)) return new RetryableError(text, { response });
  const hint = Object.hasOwn(HINTS, error) ? HINTS[error] : undefined;
  return new PermanentError(text, { response, ...(hint !== undefined && { hint }) });
}
