import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { textOf } from '../../core/errors.ts';
import type { Chat, Client, Library, Message } from './library.ts';
import type { Media } from './media.ts';
import { FILES } from './protocol.ts';
import type { Ask, Part } from './protocol.ts';
import type { Tell } from './told.ts';

/** What the browser's process does when it is asked. */
export interface Answers {
  to(ask: Ask): Promise<unknown>;
  /** Whether we have sent this message, which went out, ourselves; resolves when what is being sent has gone out. */
  isOurs(message: Message): Promise<boolean>;
}

/** `never`: it won't work later either; `unknown`: nobody knows whether it was done. Any other error: nothing was done. */
export class AnswerError extends Error {
  readonly how: 'never' | 'unknown';

  constructor(how: AnswerError['how'], text: string) {
    super(text);
    this.name = new.target.name;
    this.how = how;
  }
}

/** How many messages are asked for, if fewer don't reach back far enough. */
const DEPTHS = [50, 250, 1000];
const MOST_OURS = 1000;
/** Clocks differ. */
const SLACK_MS = 60_000;

export function answersOf(deps: {
  readonly client: Client;
  readonly library: Library;
  readonly folder: string;
  readonly media: Media;
  readonly tell: Tell;
}): Answers {
  const { client, library, folder, media, tell } = deps;
  const ours = new Set<string>();
  let sending: Promise<unknown> = Promise.resolve();

  async function chats(since: number): Promise<string[]> {
    const all = await client.getChats();
    return all
      .filter(({ id, timestamp = 0 }) => timestamp * 1000 >= since && /@(c\.us|lid|g\.us)$/.test(id._serialized))
      .map(({ id }) => id._serialized);
  }

  async function messages(id: string, since: number): Promise<object[]> {
    const said = await saidSince(await chatOf(id), since);
    const told: object[] = [];
    for (const message of said) {
      told.push(await tell('message_create', message));
    }
    return told;
  }

  async function chatOf(id: string): Promise<Chat> {
    const chat = await client.getChatById(id);
    if (!chat) throw new AnswerError('never', `WhatsApp knows no chat ${id}`);
    return chat;
  }

  async function send(chat: string, part: Part, quoted: string | undefined): Promise<{ id: string }> {
    // What fails here has sent nothing.
    await chatOf(chat);
    const content = await contentOf(part);
    const isShown = 'file' in part && /^(image\/(jpeg|png)|video\/mp4|audio\/)/.test(part.mediaType);
    const options = {
      // A text that looks like a card is a text.
      parseVCards: false,
      sendMediaAsDocument: 'file' in part && !isShown,
      waitUntilMsgSent: true,
      ...(quoted !== undefined && { quotedMessageId: quoted }),
    };
    const sent = await client.sendMessage(chat, content, options).catch((error: unknown) => {
      throw new AnswerError('unknown', textOf(error));
    });
    if (!sent) throw new AnswerError('unknown', 'WhatsApp Web does not say what became of it');
    ours.add(sent.id.id);
    const [oldest] = ours;
    if (ours.size > MOST_OURS && oldest !== undefined) ours.delete(oldest);
    return { id: sent.id.id };
  }

  async function contentOf(part: Part): Promise<string | object> {
    if ('text' in part) return part.text;
    const bytes = await readFile(join(folder, FILES, part.file));
    return new library.MessageMedia(part.mediaType, bytes.toString('base64'), part.name, bytes.length);
  }

  async function find(id: string, part: Part, since: number): Promise<string[]> {
    const said = await (await chatOf(id)).fetchMessages({ limit: DEPTHS[0] ?? 50, fromMe: true });
    return said
      .filter(({ timestamp = 0 }) => timestamp * 1000 >= since - SLACK_MS)
      .filter((message) => isSame(message, part))
      .map((message) => message.id.id);
  }

  return {
    to(ask) {
      switch (ask.what) {
        case 'state':
          return client.getState();
        case 'chats':
          return chats(ask.since);
        case 'messages':
          return messages(ask.chat, ask.since);
        case 'media':
          return media.get(ask.message).then((file) => (file === undefined ? null : { file }));
        case 'send': {
          const sent = sending.then(() => send(ask.chat, ask.part, ask.quoted));
          sending = sent.catch(() => undefined);
          return sent;
        }
        case 'find':
          return find(ask.chat, ask.part, ask.since);
      }
    },
    async isOurs({ id }) {
      // It is told of before sending it ends.
      await sending;
      return ours.has(id.id);
    },
  };
}

async function saidSince(chat: Chat, since: number): Promise<readonly Message[]> {
  let said: readonly Message[] = [];
  for (const limit of DEPTHS) {
    said = await chat.fetchMessages({ limit });
    const oldest = Math.min(...said.map(({ timestamp = 0 }) => timestamp * 1000));
    if (said.length < limit || oldest < since) break;
  }
  return said
    .filter(({ timestamp = 0 }) => timestamp * 1000 >= since)
    .toSorted((a, b) => (a.timestamp ?? 0) - (b.timestamp ?? 0));
}

function isSame({ body = '', hasMedia = false, _data }: Message, part: Part): boolean {
  if ('text' in part) return !hasMedia && body.trim() === part.text.trim();
  return hasMedia && (_data?.filename === part.name || _data?.size === part.size);
}
