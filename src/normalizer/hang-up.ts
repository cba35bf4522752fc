import type { Task } from '../core/rows.ts';
import { addToCall, type AddDeps } from './add-to-call.ts';

/** Takes a call for missed whose end nobody told: the vendor's event was lost, or the vendor is. */
export function createHangUp(deps: AddDeps) {
  return async ({ messageId }: Task) => {
    const reason = await addToCall(deps, messageId ?? '', ({ content, ended }) =>
      ended || content.call.outcome !== 'ringing' ? `is ${content.call.outcome}` : { outcome: 'missed' },
    );
    return { request: messageId ?? '', response: reason ?? 'taken for missed: nobody told its end' };
  };
}
