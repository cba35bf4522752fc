import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import { ignored } from '../../core/envelope.ts';
import { UncertainError } from '../../core/errors.ts';
import { toOurs } from '../../core/field-mapping.ts';
import { htmlToText } from '../../core/html-text.ts';
import { markIn, markOf } from '../../core/mark.ts';
import type { Message } from '../../core/ticket.ts';
import type { Api, Thing } from './api.ts';
import type { Config } from './config.ts';

/**
 * What was done to a ticket there: notes, and the stages that it was in. Notes of ours begin with a mark.
 * https://developers.hubspot.com/docs/api-reference/crm-notes-v3/guide
 */

const MOST_PAGES = 20;
const AT_ONCE = 100;
export const NOTE_PROPERTIES = [
  'hs_note_body',
  'hs_timestamp',
  'hs_createdate',
  'hs_attachment_ids',
  'hs_created_by_user_id',
  'hs_object_source',
] as const;

/** The mark of a note that we wrote. What a person wrote is his, also where he copied a note of ours. */
function markOn({ properties }: Thing): string | undefined {
  return properties.hs_object_source === 'CRM_UI' ? undefined : markIn(properties.hs_note_body ?? '');
}

export function isOurNote(note: Thing): boolean {
  return markOn(note) !== undefined;
}

/** Whether a message stands in a ticket there. */
export async function hasMark(api: Api, ticketId: string, message: Message): Promise<boolean> {
  const mark = markOf(message);
  let after: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const notes = await api.notesOf(ticketId, after);
    for (let from = 0; from < notes.ids.length; from += AT_ONCE) {
      const some = await api.readMany('notes', notes.ids.slice(from, from + AT_ONCE), NOTE_PROPERTIES);
      if (some.some((note) => markOn(note) === mark)) return true;
    }
    if (notes.after === undefined) return false;
    after = notes.after;
  }
  throw new UncertainError(`ticket ${ticketId} has more notes in HubSpot than can be looked through`);
}

const time = z.number();
const File = z.object({ id: z.string(), name: z.string(), size: z.number().optional() });
const Note = z.object({
  id: z.string(),
  at: time,
  by: z.string(),
  html: z.string(),
  files: z.array(File).readonly(),
});
const Stage = z.object({ at: time, value: z.string(), by: z.string() });

/** What a poll hands over of one ticket: what people did there, and what we did ourselves by name only. */
export const History = z.object({
  ticket: z.string(),
  notes: z.array(Note).readonly(),
  stages: z.array(Stage).readonly(),
  ours: z.array(z.string()).readonly(),
});
export type History = z.output<typeof History>;

/** What agents did in one ticket, in the order in which they did it. */
export function actionsOf(config: Config, { ticket, notes, stages, ours }: History): ActionInput[] {
  const said = notes.map((note) => ({ at: note.at, action: saidOf(config, ticket, note) }));
  const moved = stages.map((stage) => ({ at: stage.at, action: statusOf(config, ticket, stage) }));
  const done = [...said, ...moved].sort((a, b) => a.at - b.at).map(({ action }) => action);
  return [...ours.map((name) => ignored(name, 'ours') as ActionInput), ...done];
}

function saidOf({ answerMark }: Config, ticket: string, { id, at, by, html, files }: z.output<typeof Note>) {
  const text = htmlToText(html);
  const common = { id: `note:${id}`, ticket, at, agent: by.slice(0, 1000) };
  const attachments = files.map(({ name, ...file }) => ({
    ...file,
    name: name.slice(0, 1000),
    mediaType: 'application/octet-stream',
  }));
  if (!text.startsWith(answerMark)) return { kind: 'note', ...common, text, html, attachments } satisfies ActionInput;
  // Its HTML has the mark in it, which the customer needn't see.
  const answer = text.slice(answerMark.length).trim();
  return { kind: 'reply', ...common, text: answer, attachments } satisfies ActionInput;
}

function statusOf({ statuses }: Config, ticket: string, { at, value, by }: z.output<typeof Stage>): ActionInput {
  const status = toOurs(statuses, value);
  if (!status) return ignored(`stage ${value}`, 'none of ours is called that: see `statuses`') as ActionInput;
  return { kind: 'status', id: `stage:${ticket}:${at}`, ticket, at, agent: by.slice(0, 1000), status };
}
