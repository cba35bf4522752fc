import type { Message } from './ticket.ts';

/**
 * What a help desk is given along with a message, where its agents don't see it, so that it is found again after a lost
 * answer and doesn't come back as an agent's. One delivery of one message: an edit, or that an answer failed, is another.
 */
export function markOf({
  id,
  revision,
  deletedAt,
  delivery,
}: Pick<Message, 'id' | 'revision' | 'deletedAt' | 'delivery'>) {
  const state = deletedAt === null ? (delivery?.state === 'failed' ? '.failed' : '') : '.deleted';
  return `${id}.${revision}${state}`;
}
