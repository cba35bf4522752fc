import type { Readable } from 'node:stream';
import type { Attachment } from '../../core/envelope.ts';
import { PermanentError } from '../../core/errors.ts';
import type { DiscordApi } from './api.ts';
import { Whole } from './event.ts';

interface Where {
  readonly channel: string;
  readonly message: string;
  readonly file: string;
}

/** What a file is found by. */
export function fileOf({ channel, message, file }: Where): string {
  return `${channel}/${message}/${file}`;
}

/** The bytes of an attachment. Its address is asked for each time: it is signed for a day. */
export async function download(api: DiscordApi, { id, name }: Attachment): Promise<Readable> {
  const [, channel, message, file] = /^(\d{1,20})\/(\d{1,20})\/(\d{1,20})$/.exec(id) ?? [];
  if (file === undefined) throw new PermanentError(`${name} is no file of Discord's`);
  const holder = await api.ask(`/channels/${channel}/messages/${message}`, Whole);
  const files = [holder, ...holder.message_snapshots.map((snapshot) => snapshot.message)];
  const found = files.flatMap(({ attachments }) => attachments).find((each) => each.id === file);
  if (!found) throw new PermanentError(`${name} was taken out of its message`);
  return api.fetch(found.url);
}
