import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import { ignored } from '../../core/envelope.ts';
import { htmlToText } from '../../core/html-text.ts';
import { statusOf } from './config.ts';
import type { Config } from './config.ts';
import { answerIn } from './text.ts';

/** What a poll hands over of one deal: what colleagues wrote and moved there, and what we did ourselves by name only. */
export const History = z.object({
  deal: z.string(),
  notes: z.array(z.object({ id: z.string(), at: z.number(), by: z.string(), html: z.string() })),
  moved: z.object({ at: z.number(), by: z.string(), status: z.string(), stage_id: z.number().nullish() }).optional(),
  ours: z.array(z.string()),
});
export type History = z.output<typeof History>;

export function actionsOf(config: Config, { deal, notes, moved, ours }: History): ActionInput[] {
  const own = ours.map((name) => ignored(name, 'ours') as ActionInput);
  const said = notes.map((note) => ({ at: note.at, action: saidOf(config, deal, note) }));
  const done = moved ? [...said, { at: moved.at, action: movedOf(config, deal, moved) }] : said;
  return [...own, ...done.sort((a, b) => a.at - b.at).map(({ action }) => action)];
}

function saidOf({ answerMark }: Config, ticket: string, { id, at, by, html }: History['notes'][number]): ActionInput {
  const text = htmlToText(html);
  const common = { id: `note:${id}`, ticket, at, agent: by.slice(0, 1000) };
  const answer = answerIn(text, answerMark);
  // The HTML of an answer has the mark in it, which the customer needn't see.
  return answer === undefined ? { kind: 'note', ...common, text, html } : { kind: 'reply', ...common, text: answer };
}

function movedOf(config: Config, ticket: string, { at, by, ...state }: NonNullable<History['moved']>): ActionInput {
  const status = statusOf(config, state);
  const what = state.status === 'open' ? `stage ${state.stage_id ?? 'unknown'}` : state.status;
  if (!status) return ignored(what.slice(0, 200), 'none of ours is called that: see `statuses`') as ActionInput;
  return { kind: 'status', id: `status:${ticket}:${at}`, ticket, at, agent: by.slice(0, 1000), status };
}
