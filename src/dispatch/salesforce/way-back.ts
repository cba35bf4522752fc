import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import { ignored } from '../../core/envelope.ts';
import { toOurs } from '../../core/field-mapping.ts';
import type { Config } from './config.ts';

const common = {
  id: z.string(),
  ticket: z.string(),
  at: z.number(),
  agent: z.string(),
  isOurs: z.boolean(),
};

/** What a poll hands over: one comment, or one change of a status. */
export const Told = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('comment'),
    ...common,
    /** Not written by a customer in a portal, nor by a machine. */
    isPerson: z.boolean(),
    isPublished: z.boolean(),
    text: z.string(),
  }),
  z.object({ kind: z.literal('status'), ...common, value: z.string() }),
]);
export type Told = z.output<typeof Told>;
type Comment = Extract<Told, { kind: 'comment' }>;

export function toAction({ statuses }: Config, given: unknown): ActionInput {
  const told = Told.parse(given);
  const { kind, id, ticket, at, agent } = told;
  if (told.isOurs) return ignored(`${kind} ${id}`, 'ours') as ActionInput;
  if (told.kind === 'comment') return saidOf(told);
  const status = toOurs(statuses, told.value);
  if (!status) return ignored(`status ${told.value}`, 'none of ours is called that: see `statuses`') as ActionInput;
  return { kind: 'status', id: `status:${id}`, ticket, at, agent, status };
}

/** What is published is meant for the customer; it has another name than the same as a note, so that it is heard again. */
function saidOf({ id, ticket, at, agent, isPerson, isPublished, text }: Comment): ActionInput {
  if (!isPerson) return ignored(`comment ${id}`, 'written by a customer or a machine, not by an agent') as ActionInput;
  if (text.trim() === '') return ignored(`comment ${id}`, 'without words') as ActionInput;
  const kind = isPublished ? 'reply' : 'note';
  return { kind, id: `${kind}:${id}`, ticket, at, agent, text: text.replaceAll('\r\n', '\n').trim() };
}
