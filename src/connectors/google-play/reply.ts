import { z } from 'zod';
import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import type { PlayApi } from './api.ts';
import { answerId } from './review.ts';

/** "Replies of more than approximately 350 characters will be rejected." */
export const LONGEST = 350;

const Applied = z.object({ result: z.object({ replyText: z.string().optional() }).optional() });

/** Puts the answer below the review, in the place of the one that stands there: so the same one again changes nothing. */
export async function sendReply(api: PlayApi, reply: Reply): Promise<void> {
  const { thread: review, message } = reply;
  if (reply.sent.length > 0) return;
  if (review === undefined) throw new PermanentError('this conversation is no review on Google Play');
  if (message.attachments.length > 0) {
    throw new PermanentError('Google Play takes no files', { hint: 'Send the answer without files.' });
  }
  const replyText = message.text.trim();
  if (replyText === '') throw new PermanentError('the answer is empty: Google Play takes nothing without text');
  if (replyText.length > LONGEST) {
    throw new PermanentError(`the answer has ${replyText.length} characters, and Google Play takes ${LONGEST}`, {
      hint: 'Make it shorter: everybody reads it, and it can not go out in parts.',
    });
  }
  const path = `/reviews/${encodeURIComponent(review)}:reply`;
  const { result } = await api({ method: 'POST', path, body: { replyText } }, Applied);
  // As it stands there now: Google takes markup out.
  await reply.partSent(answerId(review, result?.replyText ?? replyText), { replaces: true });
}
