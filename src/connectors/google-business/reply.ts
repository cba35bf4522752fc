import { z } from 'zod';
import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import type { BusinessApi } from './api.ts';
import { answerId } from './review.ts';

/** Bytes: https://developers.google.com/my-business/reference/rest/v4/accounts.locations.reviews#ReviewReply */
export const LONGEST = 4096;

const Applied = z.object({ comment: z.string().optional() });

/** Puts the answer below the review, in the place of the one that stands there: so the same one again changes nothing. */
export async function sendReply(api: BusinessApi, locations: ReadonlySet<string>, reply: Reply): Promise<void> {
  const { thread = '', message } = reply;
  if (reply.sent.length > 0) return;
  const slash = thread.indexOf('/');
  const location = thread.slice(0, Math.max(0, slash));
  if (!locations.has(location)) throw new PermanentError('this conversation is no review of one of the locations');
  if (message.attachments.length > 0) {
    throw new PermanentError('Google Business Profile takes no files', { hint: 'Send the answer without files.' });
  }
  const comment = message.text.trim();
  if (comment === '') throw new PermanentError('the answer is empty: Google takes nothing without text');
  const bytes = Buffer.byteLength(comment);
  if (bytes > LONGEST) {
    throw new PermanentError(`the answer has ${bytes} bytes, and Google takes ${LONGEST}`, {
      hint: 'Make it shorter: a Cyrillic letter is two bytes, and it can not go out in parts.',
    });
  }
  const path = `/locations/${location}/reviews/${encodeURIComponent(thread.slice(slash + 1))}/reply`;
  const applied = await api.call({ method: 'PUT', path, body: { comment } }, Applied);
  await reply.partSent(answerId(thread, applied.comment ?? comment), { replaces: true });
}
