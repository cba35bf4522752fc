import { z } from 'zod';
import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import type { AppleApi } from './api.ts';
import { answerId } from './review.ts';

/** As App Store Connect counts down from; Apple's description of the API says nothing of it. */
export const LONGEST = 5970;

const Created = z.object({
  data: z.object({ attributes: z.object({ responseBody: z.string().optional() }).optional() }),
});

/**
 * Puts the answer below the review, in the place of the one that stands there: so the same one again changes nothing.
 * https://developer.apple.com/documentation/appstoreconnectapi/post-v1-customerreviewresponses
 */
export async function sendReply(api: AppleApi, reply: Reply): Promise<void> {
  const { thread: id, message } = reply;
  if (reply.sent.length > 0) return;
  if (id === undefined) throw new PermanentError('this conversation is no review in the App Store');
  if (message.attachments.length > 0) {
    throw new PermanentError('the App Store takes no files', { hint: 'Send the answer without files.' });
  }
  const responseBody = message.text.trim();
  if (responseBody === '') throw new PermanentError('the answer is empty: the App Store takes nothing without text');
  if (responseBody.length > LONGEST) {
    throw new PermanentError(`the answer has ${responseBody.length} characters, and the App Store takes ${LONGEST}`);
  }
  const review = { data: { type: 'customerReviews', id } };
  const body = { data: { type: 'customerReviewResponses', attributes: { responseBody }, relationships: { review } } };
  const { data } = await api({ method: 'POST', path: '/v1/customerReviewResponses', body }, Created);
  await reply.partSent(answerId(id, data.attributes?.responseBody ?? responseBody), { replaces: true });
}
