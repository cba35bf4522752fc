import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Reply } from '../../core/connector.ts';
import { PermanentError, RetryableError, textOf, UncertainError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { DiscordApi, Upload } from './api.ts';
import { Snowflake } from './snowflake.ts';

/** https://discord.com/developers/docs/resources/message#create-message */
const MAX_TEXT = 2000;
/** Within minutes Discord knows a part again: as long an answer that was lost may simply be sent again. */
const AGAIN_MS = [1000, 5000];

interface Answering {
  readonly api: DiscordApi;
  readonly clock: Clock;
}

/** Sends an answer where the customer wrote: the text, in parts where it is too long, then its files one by one. */
export async function sendReply(deps: Answering, reply: Reply): Promise<void> {
  const channel = Snowflake.safeParse(reply.thread).data;
  if (channel === undefined) {
    throw new PermanentError('this conversation has no place in Discord', {
      hint: 'Somebody has to write there before he can be answered there.',
    });
  }
  const { text, attachments } = reply.message;
  const parts = [
    ...splitText(text, MAX_TEXT).map((content) => async () => ({ body: { content }, file: undefined })),
    ...attachments.map(({ id, name }) => async () => ({
      body: { attachments: [{ id: '0', filename: name }] },
      file: { name, bytes: await buffer(await reply.open(id)) },
    })),
  ];
  if (parts.length === 0) throw new PermanentError('the answer is empty: Discord sends nothing without text or file');
  for (const [index, part] of parts.entries()) {
    if (index < reply.sent.length) continue;
    const { body, file } = await part();
    const message = {
      ...body,
      // Nobody is called by a mention that an agent writes, or quotes.
      allowed_mentions: { parse: [] },
      nonce: nonceOf(`${reply.id}:${index}`),
      enforce_nonce: true,
      ...(index === 0 && referenceOf(reply)),
    };
    await reply.partSent(await post(deps, `/channels/${channel}/messages`, message, file));
  }
}

/** Shows what is answered, where several people write. Should that be gone, the answer goes out all the same. */
function referenceOf({ answers }: Reply): object | undefined {
  const message_id = Snowflake.safeParse(answers?.externalId).data;
  return message_id === undefined ? undefined : { message_reference: { message_id, fail_if_not_exists: false } };
}

/** Discord takes 25 characters. */
function nonceOf(part: string): string {
  return createHash('sha256').update(part).digest('base64url').slice(0, 24);
}

const Posted = z.object({ id: Snowflake });

async function post(
  { api, clock }: Answering,
  path: string,
  message: object,
  file: Upload | undefined,
): Promise<string> {
  let isUnknown = false;
  for (let tries = 0; ; tries++) {
    try {
      return (await api.tell(path, Posted, message, file)).id;
    } catch (error) {
      // Whatever refuses a later try says nothing of the first.
      isUnknown ||= error instanceof RetryableError && error.outcomeUnknown;
      if (!isUnknown) throw error;
      const wait = AGAIN_MS[tries];
      if (wait === undefined) throw uncertain(error);
      await clock.sleep(wait);
    }
  }
}

function uncertain(cause: unknown): UncertainError {
  return new UncertainError(`${textOf(cause)}; Discord may have posted it all the same`, {
    cause,
    hint: 'Look into the conversation: if it is not there, replay the delivery.',
  });
}
