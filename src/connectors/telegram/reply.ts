import type { Message } from 'grammy/types';
import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { MessageAttachment } from '../../core/ticket.ts';
import type { z } from 'zod';
import { messageIdIn, messageOf, readThread } from './address.ts';
import type { Place } from './address.ts';
import { ChatMovedError } from './api.ts';
import type { BotApi } from './api.ts';

type File = z.output<typeof MessageAttachment>;
type Part = { readonly text: string } | { readonly file: File };

/** UTF-16 units that a message may have: https://core.telegram.org/bots/api#sendmessage */
const MAX_TEXT = 4096;
/** https://core.telegram.org/bots/api#sendphoto */
const MAX_PHOTO = 10 * 1024 * 1024;

/** Sends an answer: its text, in parts where it is too long, then its files one by one. */
export async function sendReply(bot: BotApi, maxFile: number, reply: Reply): Promise<void> {
  let place = reply.thread === undefined ? undefined : readThread(reply.thread);
  if (!place) {
    throw new PermanentError('this conversation has no Telegram chat', {
      hint: 'A bot may only write where somebody has written to it first.',
    });
  }
  const parts = partsOf(reply, maxFile);
  for (const part of parts.slice(reply.sent.length)) {
    const isFirst = part === parts[0];
    try {
      await sendPart(bot, reply, part, { place, isFirst });
    } catch (error) {
      if (!(error instanceof ChatMovedError)) throw error;
      place = { ...place, chat: error.to };
      await sendPart(bot, reply, part, { place, isFirst });
    }
  }
}

function partsOf({ message }: Reply, maxFile: number): readonly Part[] {
  const large = message.attachments.find(({ size }) => (size ?? 0) > maxFile);
  if (large) {
    throw new PermanentError(`${large.name} has more than the ${maxFile / 1024 / 1024} MB that a bot may send`, {
      hint: 'Send a link to it instead.',
    });
  }
  const parts = [
    ...splitText(message.text, MAX_TEXT).map((text) => ({ text })),
    ...message.attachments.map((file) => ({ file })),
  ];
  if (parts.length === 0) throw new PermanentError('the answer is empty: Telegram sends nothing without text or file');
  return parts;
}

interface Where {
  readonly place: Place;
  readonly isFirst: boolean;
}

async function sendPart(bot: BotApi, reply: Reply, part: Part, where: Where): Promise<void> {
  const { place } = where;
  const options = optionsOf(reply, where);
  const sent =
    'text' in part
      ? await bot.send((api) => api.sendMessage(Number(place.chat), part.text, options))
      : await sendFile(bot, reply, part.file, { chat: Number(place.chat), options });
  await reply.partSent(messageOf(place, sent.message_id));
}

function optionsOf({ answers }: Reply, { place, isFirst }: Where) {
  const { connection, topic, direct } = place;
  const message_id = messageIdIn(place, answers?.externalId);
  // Between two people it is clear what is answered; in a group it isn't.
  const quotes = isFirst && place.chat.startsWith('-') && message_id !== undefined;
  return {
    ...(connection !== undefined && { business_connection_id: connection }),
    ...(topic !== undefined && { message_thread_id: Number(topic) }),
    ...(direct !== undefined && { direct_messages_topic_id: Number(direct) }),
    ...(quotes && { reply_parameters: { message_id, allow_sending_without_reply: true } }),
  };
}

interface Target {
  readonly chat: number;
  readonly options: ReturnType<typeof optionsOf>;
}

/** As what it is shown best; a picture that Telegram can't show (too wide, broken) goes as a document. */
async function sendFile(bot: BotApi, reply: Reply, file: File, { chat, options }: Target): Promise<Message> {
  const upload = async () => bot.file((await reply.open(file.id)) as AsyncIterable<Uint8Array>, file.name);
  const type = file.mediaType.toLowerCase();
  const asDocument = async () => {
    const document = await upload();
    return bot.send((api) => api.sendDocument(chat, document, options));
  };
  if (/^image\/(jpeg|png|webp)$/.test(type) && (file.size ?? 0) <= MAX_PHOTO) {
    const photo = await upload();
    try {
      return await bot.send((api) => api.sendPhoto(chat, photo, options));
    } catch (error) {
      if (!(error instanceof PermanentError) || !/PHOTO_|IMAGE_PROCESS/.test(error.message)) throw error;
      return asDocument();
    }
  }
  if (type === 'video/mp4') {
    const video = await upload();
    return bot.send((api) => api.sendVideo(chat, video, options));
  }
  if (type === 'audio/ogg') {
    const voice = await upload();
    return bot.send((api) => api.sendVoice(chat, voice, options));
  }
  if (type === 'audio/mpeg' || type === 'audio/mp4') {
    const audio = await upload();
    return bot.send((api) => api.sendAudio(chat, audio, options));
  }
  return asDocument();
}
