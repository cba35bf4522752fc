import { z } from 'zod';
import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import type { TrustpilotApi } from './api.ts';
import { answerId } from './review.ts';

const Answered = z.object({ companyReply: z.object({ text: z.string().nullish() }).nullish() });

/**
 * Puts the answer below the review, unless it stands there already: Trustpilot doesn't say what a second one does.
 * https://developers.trustpilot.com/service-reviews-api#reply-to-a-review
 */
export async function sendReply(api: TrustpilotApi, author: string | undefined, reply: Reply): Promise<void> {
  const { thread: id, message } = reply;
  if (reply.sent.length > 0) return;
  if (id === undefined) throw new PermanentError('this conversation is no review on Trustpilot');
  if (message.attachments.length > 0) {
    throw new PermanentError('Trustpilot takes no files', { hint: 'Send the answer without files.' });
  }
  const text = message.text.trim();
  if (text === '') throw new PermanentError('the answer is empty: Trustpilot takes nothing without text');
  const path = `/v1/private/reviews/${encodeURIComponent(id)}`;
  const { companyReply } = await api({ path }, Answered);
  const ours = answerId(id, text);
  if (answerId(id, companyReply?.text ?? '') !== ours) {
    const body = { ...(author !== undefined && { authorBusinessUserId: author }), message: text };
    await api({ method: 'POST', path: `${path}/reply`, body }, z.unknown());
  }
  await reply.partSent(ours, { replaces: true });
}
