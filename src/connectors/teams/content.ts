import { createHash } from 'node:crypto';
import type { Attachment } from '../../core/envelope.ts';
import type { Activity, FileInfo, Message } from './activity.ts';
import type { ReadMarkup, Words } from './markup.ts';

/** What a message holds. */
interface Content {
  readonly text: string;
  readonly textFull?: string;
  /** Ids of the messages that it quotes. */
  readonly quoted: readonly string[];
  readonly attachments: Attachment[];
  readonly fields: Readonly<Record<string, string>>;
}

const FILE = 'application/vnd.microsoft.teams.file.download.info';
const HTML = 'text/html';

export function contentOf(message: Message, readMarkup: ReadMarkup): Content {
  const { attachments, entities } = message;
  const words = wordsOf(message, readMarkup);
  const quoted = entities.flatMap(({ quotedReply }) => (quotedReply ? [quotedReply.messageId] : []));
  const files = attachments.filter(isFile);
  const others = attachments.filter((one) => !isFile(one) && one.contentType !== HTML);
  const { lines, fields } = filledIn(message.value);
  const said = words.text === '' ? lines : [words.text];
  return {
    text: [...said, ...others.map(nameOf)].join('\n'),
    ...(words.textFull !== undefined && { textFull: [words.textFull, ...others.map(nameOf)].join('\n') }),
    quoted: [...new Set([...quoted, ...words.quoted])],
    attachments: files.map(toAttachment),
    fields,
  };
}

/** The HTML says more than the text beside it, which has lost links, lists and what is a quote. */
function wordsOf({ text, attachments, entities, recipient }: Message, readMarkup: ReadMarkup): Words {
  const html = attachments.find(({ contentType }) => contentType === HTML)?.content;
  const ofBot = entities.flatMap(({ type, mentioned, text: shown }) =>
    type === 'mention' && shown && mentioned?.id !== undefined && mentioned.id === recipient?.id ? [shown] : [],
  );
  const names = ofBot.map((shown) => shown.replace(/<[^<>]*>/g, ''));
  const words = typeof html === 'string' ? readMarkup(html, names) : undefined;
  if (words) return words;
  const plain = ofBot
    .reduce((rest, shown) => rest.replaceAll(shown, ''), text ?? '')
    .replace(/<at(?: [^<>]*)?>([^<>]*)<\/at>/g, '@$1')
    .replace(/<quoted [^<>]*>/g, '');
  return { text: plain.replaceAll('\u00a0', ' ').trim(), quoted: [] };
}

/** What somebody pressed or filled in on a card: its values by name. */
function filledIn(value: unknown): { lines: string[]; fields: Record<string, string> } {
  if (typeof value === 'string') return { lines: [value], fields: {} };
  if (typeof value !== 'object' || value === null) return { lines: [], fields: {} };
  const shown = (one: unknown) => (typeof one === 'string' ? one : (JSON.stringify(one) ?? ''));
  const entries = Object.entries(value)
    .map(([name, one]) => [name.slice(0, 200), shown(one).slice(0, 10_000)] as const)
    .filter(([name, one]) => name !== '' && one !== '');
  return { lines: entries.map(([name, one]) => `${name}: ${one}`), fields: Object.fromEntries(entries) };
}

/** Files by their own type, pictures that are pasted as `image/*`: what has an address and a place among bytes. */
function isFile({ contentType, contentUrl, content }: FileInfo): boolean {
  if (contentType === FILE) return true;
  return /^(image|audio|video)\//.test(contentType) && urlOf({ contentUrl, content }) !== undefined;
}

function urlOf({ contentUrl, content }: Pick<FileInfo, 'contentUrl' | 'content'>): string | undefined {
  return (typeof content === 'object' ? content.downloadUrl : undefined) ?? contentUrl;
}

/** Where the bytes are: the address is in the payload only, since it may hold leave to get them. */
export function addressOf(file: Pick<Attachment, 'id'>, attachments: Message['attachments']): string | undefined {
  const found = attachments.find((one) => isFile(one) && idOf(one) === file.id);
  return found && urlOf(found);
}

/** The same over edits; pasted pictures share the id that Teams gives them, so it is their address there. */
function idOf(file: FileInfo): string {
  const { contentType, content } = file;
  const own = contentType === FILE && typeof content === 'object' ? content.uniqueId?.slice(0, 200) : undefined;
  const address = urlOf(file) ?? '';
  return own || createHash('sha256').update(address).digest('hex');
}

/** Teams doesn't always say what a pasted picture is: then it is what it makes of screenshots. */
const ENDINGS: Readonly<Record<string, string>> = { image: 'png', audio: 'mp3', video: 'mp4' };

function toAttachment(file: FileInfo): Attachment {
  const { contentType, content, name } = file;
  const said = typeof content === 'object' ? content.fileType : undefined;
  const ending = /^[a-z0-9]{1,10}$/.exec(said?.toLowerCase() ?? '')?.[0];
  const { shown, mediaType } = contentType === FILE ? fileOf(ending) : pictureOf(contentType, ending);
  return { id: idOf(file), name: (name || shown).slice(0, 255), mediaType };
}

function fileOf(ending: string | undefined): { shown: string; mediaType: string } {
  return { shown: ending === undefined ? 'file' : `file.${ending}`, mediaType: 'application/octet-stream' };
}

function pictureOf(contentType: string, said: string | undefined): { shown: string; mediaType: string } {
  const [kind = '', type = ''] = contentType.split('/');
  const ending = said ?? (type === '*' ? ENDINGS[kind] : type) ?? '';
  return {
    shown: `${kind}.${ending}`,
    mediaType: type === '*' ? `${kind}/${ending === 'jpg' ? 'jpeg' : ending}` : contentType,
  };
}

/** Cards, files of channels, code: what is neither words nor a file that a bot gets. */
function nameOf({ contentType, name, contentUrl }: FileInfo): string {
  const kind = contentType.slice(contentType.lastIndexOf('.') + 1) || 'attachment';
  const link = contentUrl?.startsWith('https://') ? contentUrl : undefined;
  return `[${[name || kind, link].filter(Boolean).join(' ')}]`;
}

/** The names under which circumstances are shown, which nothing that is filled in may take. */
export function circumstancesOf(
  { serviceUrl, channelData }: Activity,
  chatName: string | undefined,
): Record<string, string> {
  const all = { chat: chatName, tenant: channelData?.tenant?.id, service_url: serviceUrl };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 2000)] as const] : [])),
  );
}
