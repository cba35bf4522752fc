/**
 * How chats and messages are named outward. A message id is unique in its chat only, and in a private chat every
 * account counts for itself: what came through a business account carries the connection too.
 */
export interface Place {
  readonly chat: string;
  /** Business connection through which the bot sees the chat. */
  readonly connection?: string;
  /** Topic of a forum. */
  readonly topic?: string;
  /** Topic of a channel's direct messages: one person's conversation. */
  readonly direct?: string;
}

/** `chat`, `chat@connection`, `chat/topic`, `chat/d<topic>`: the thread's external id. */
export function threadOf({ chat, connection, topic, direct }: Place): string {
  const via = connection === undefined ? '' : `@${connection}`;
  const part = topic === undefined ? (direct === undefined ? '' : `/d${direct}`) : `/${topic}`;
  return `${chat}${via}${part}`;
}

/** `chat:message` or `chat@connection:message`: the message's external id. */
export function messageOf({ chat, connection }: Place, messageId: string | number): string {
  return `${threadOf({ chat, ...(connection !== undefined && { connection }) })}:${messageId}`;
}

/** The place that a thread's external id names, or undefined when it is none of ours. */
export function readThread(thread: string): Place | undefined {
  const found = /^(-?\d{1,20})(?:@([^@/:\s]+))?(?:\/(d?)(\d{1,20}))?$/.exec(thread);
  if (!found) return undefined;
  const [, chat = '', connection, kind, part] = found;
  return {
    chat,
    ...(connection !== undefined && { connection }),
    ...(part !== undefined && (kind === 'd' ? { direct: part } : { topic: part })),
  };
}

/** The message's own id, if its external id names one in that chat. */
export function messageIdIn({ chat, connection }: Place, externalId: string | null | undefined): number | undefined {
  const start = messageOf({ chat, ...(connection !== undefined && { connection }) }, '');
  const rest = externalId?.startsWith(start) ? externalId.slice(start.length) : '';
  return /^\d{1,15}$/.test(rest) ? Number(rest) : undefined;
}
