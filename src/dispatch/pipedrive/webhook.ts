import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Webhook } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { markIn } from '../../core/mark.ts';
import { matchesBasic } from '../../core/signature.ts';
import type { Config } from './config.ts';

/** Nothing is signed; user and password come along: https://pipedrive.readme.io/docs/guide-for-webhooks-v2 */
export function createWebhook({ user, password }: NonNullable<Config['webhook']>): Webhook {
  return {
    verify({ headers }) {
      if (matchesBasic(headers['authorization'], user, password.reveal())) return;
      throw new BadPayloadError('the user or the password of the webhook is another one', {
        hint: 'Compare `webhook` with HTTP Auth username and password of the webhook in Pipedrive.',
      });
    },
  };
}

const Notice = z.object({
  meta: z.object({ action: z.string(), entity: z.string() }),
  data: z.object({ content: z.string().nullish() }).nullish(),
  previous: z.record(z.string(), z.unknown()).nullish(),
});
type Notice = z.output<typeof Notice>;

/** A notice only says that there is something to be asked for; asking costs tokens, so not every one does. */
export function toWake(body: Buffer): ActionInput {
  const notice = Notice.safeParse(jsonOf(body)).data;
  const reason = notice && idleness(notice);
  if (!notice || reason === undefined) return { kind: 'wake' };
  const { action, entity } = notice.meta;
  return ignored(`${action}.${entity}`.slice(0, 200), reason) as ActionInput;
}

/** Why there is nothing to be asked for; undefined where there may be. */
function idleness({ meta: { action, entity }, data, previous }: Notice): string | undefined {
  if (entity === 'note') {
    if (action !== 'create') return 'changes of notes are not mirrored';
    return markIn(data?.content ?? '') === undefined ? undefined : 'ours';
  }
  if (entity !== 'deal') return 'about neither notes nor deals';
  const isMove = previous == null || 'status' in previous || 'stage_id' in previous;
  return action === 'change' && isMove ? undefined : 'neither status nor stage';
}
