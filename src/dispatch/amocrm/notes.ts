import type { Context } from '../../core/connector.ts';
import type { Delivery } from '../../core/destination.ts';
import { markOf } from '../../core/mark.ts';
import type { Message } from '../../core/ticket.ts';
import { toPlainText } from '../../core/words.ts';
import type { Note } from './things.ts';

/** Notes in the feed of a lead: https://www.amocrm.ru/developers/content/crm_platform/events-and-notes */

/** How much a note holds isn't documented. */
const NOTE_BYTES = 16_000;
/** What is left of a file's name, so that the mark and the end of it fit. */
const NAME_LENGTH = 100;

/** The last line of each note of ours: which delivery it was, so that it is found, and never taken for an agent's. */
const MARK = 'tributary:';
const OURS = /^tributary:[a-z]{3}_[\w-]{1,100}\.-?\d{1,16}(?:\.failed|\.deleted)?$/;
/** The same in the name of a file, where only letters, digits, `.`, `-` and `_` stay as they are. */
const FILE_MARK = '.tributary-';
const OUR_FILE = /\.tributary-[a-z]{3}_\w/;

/** What a note is made of, for `POST /api/v4/leads/{id}/notes`. */
export interface NewNote {
  readonly note_type: 'common' | 'attachment' | 'call_in' | 'call_out';
  readonly params: Readonly<Record<string, string | number>>;
}

export function signatureOf(message: Message): string {
  return `${MARK}${markOf(message)}`;
}

export function toNote(
  { publicUrl }: Pick<Context, 'publicUrl'>,
  delivery: Delivery,
  unsent: ReadonlyMap<string, string>,
): NewNote {
  const text = toPlainText(delivery, { publicUrl, max: NOTE_BYTES, unsent });
  return { note_type: 'common', params: { text: `${text}\n\n${signatureOf(delivery.message)}` } };
}

/** How a file of ours is called there: its note has no words that the mark could stand in. */
export function nameOf(name: string, message: Message): string {
  const dot = name.lastIndexOf('.');
  const [stem, end] = dot > 0 && name.length - dot <= 10 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  return `${stem.slice(0, NAME_LENGTH).toWellFormed()}${FILE_MARK}${markOf(message)}${end}`;
}

export function toFileNote(uuid: string, name: string): NewNote {
  return { note_type: 'attachment', params: { file_uuid: uuid, file_name: name } };
}

/**
 * A call as amoCRM shows and counts its own, once: what is said of it later on comes as a message of its own, whose longer
 * id says so.
 */
export function callNotes({ publicUrl }: Pick<Context, 'publicUrl'>, { id, call, attachments }: Message): NewNote[] {
  if (!call || id.includes('-')) return [];
  const isIn = call.direction === 'inbound';
  const isAudio = ({ state, mediaType }: Message['attachments'][number]) =>
    state === 'stored' && mediaType.startsWith('audio/');
  const recording = call.recording === undefined ? undefined : attachments.find(isAudio);
  const params = {
    uniq: id,
    duration: Math.round(call.talkedSec ?? 0),
    source: 'Tributary',
    phone: isIn ? call.from : call.to,
    ...(recording && { link: `${publicUrl}${recording.url}` }),
  };
  return [{ note_type: isIn ? 'call_in' : 'call_out', params }];
}

/** Who wrote it: a robot, as integrations are, or the user whose token we have. */
export function isOurUser(author: number | null | undefined, me: number | null | undefined): boolean {
  return !author || author < 1 || author === me;
}

/** The mark of a note of ours. One that a colleague quotes at the end of his own words is none. */
export function markIn({ created_by: author, params }: Note, me: number | null | undefined): string | undefined {
  if (!isOurUser(author, me)) return undefined;
  const last = params.text?.trim().split(/\s/).at(-1) ?? '';
  return OURS.test(last) ? last : undefined;
}

export function isOurs(note: Note, me: number | null | undefined): boolean {
  if (note.note_type !== 'attachment') return markIn(note, me) !== undefined;
  const { text, original_name: original, file_name: name } = note.params;
  return isOurUser(note.created_by, me) && [text, original, name].some((one) => OUR_FILE.test(one ?? ''));
}

/** What an agent wrote. The note of a file says its name again where he wrote nothing. */
export function wordsOf({ note_type: type, params }: Note): string {
  const text = (params.text ?? '').trim();
  const isName = type === 'attachment' && [params.original_name, params.file_name].includes(text);
  return isName ? '' : text;
}

/** What of it goes to the customer, if it was written for him; otherwise it stays a note. */
export function answerIn(text: string, mark: string): string | undefined {
  if (text.slice(0, mark.length).toLowerCase() !== mark.toLowerCase()) return undefined;
  const rest = text.slice(mark.length);
  // A mark that is a word isn't the beginning of another one.
  return /[\p{L}\p{N}]$/u.test(mark) && /^[\p{L}\p{N}]/u.test(rest) ? undefined : rest.trim();
}
