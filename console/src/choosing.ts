import type { Command } from './commands.ts';
import { hasTag } from './fits.ts';
import { inboxTexts } from './inbox-texts.ts';
import type { Parts } from './parts.ts';
import { priorities } from './place.ts';
import { textsOf } from './texts.ts';
import type { TicketView } from './views.ts';

/** What can be chosen for a ticket. */
export const choosings = ['assignee', 'tags', 'priority'] as const;
export type Choosing = (typeof choosings)[number];

export interface Choices {
  readonly label: string;
  readonly commands: readonly Command[];
  /** What can be made of words that are none of them. */
  readonly typed?: (words: string) => Command | undefined;
}

/** Most letters of a tag or a team. */
const LONGEST = 200;

/** What there is to choose from for the ticket that is open. */
export function choicesOf(choosing: Choosing, parts: Parts): Choices | undefined {
  const ticket = parts.conversation.state.get()?.ticket;
  if (!ticket) return undefined;
  return { assignee: assigneesFor, tags: tagsFor, priority: prioritiesFor }[choosing](parts, ticket);
}

function assigneesFor({ colleagues, conversation, language }: Parts, ticket: TicketView): Choices {
  const w = inboxTexts[language.get()];
  const { users, teams } = colleagues.state.get();
  const give = (patch: { readonly assignee?: string | null; readonly team?: string | null }) => () =>
    void conversation.change(patch);
  return {
    label: w.assign,
    commands: [
      ...users
        .filter(({ id }) => id !== ticket.assignee)
        .map(({ id, name }) => ({
          id,
          title: id === colleagues.ownId ? w.assignToMe : w.assignTo(name),
          run: give({ assignee: id }),
        })),
      ...(ticket.assignee === null ? [] : [{ id: 'nobody', title: w.unassign, run: give({ assignee: null }) }]),
      ...teams
        .filter((team) => team !== ticket.team)
        .map((team) => ({ id: `team ${team}`, title: w.giveTo(team), run: give({ team }) })),
      ...(ticket.team === null ? [] : [{ id: 'no team', title: w.noTeam, run: give({ team: null }) }]),
    ],
    typed: (words) =>
      isNew(words, [...teams, ...users.map(({ name }) => name)])
        ? { id: 'new team', title: w.newTeam(words), run: give({ team: words }) }
        : undefined,
  };
}

function tagsFor({ colleagues, conversation, language }: Parts, ticket: TicketView): Choices {
  const w = inboxTexts[language.get()];
  const known = colleagues.state.get().tags;
  const set = (tags: readonly string[]) => () => void conversation.change({ tags });
  const add = (tag: string) => set([...ticket.tags, tag]);
  return {
    label: w.tags,
    commands: [
      ...ticket.tags.map((tag) => ({
        id: `remove ${tag}`,
        title: w.removeTag(tag),
        run: set(ticket.tags.filter((one) => one !== tag)),
      })),
      ...known
        .filter((tag) => !hasTag(ticket, tag))
        .map((tag) => ({ id: `add ${tag}`, title: w.addTag(tag), run: add(tag) })),
    ],
    typed: (words) =>
      isNew(words, [...known, ...ticket.tags]) ? { id: 'new tag', title: w.newTag(words), run: add(words) } : undefined,
  };
}

function prioritiesFor({ conversation, language }: Parts, ticket: TicketView): Choices {
  const t = textsOf(language.get());
  return {
    label: inboxTexts[language.get()].setPriority,
    commands: priorities
      .filter((priority) => priority !== ticket.priority)
      .map((priority) => ({
        id: priority,
        title: t.priorities[priority],
        run: () => void conversation.change({ priority }),
      })),
  };
}

function isNew(words: string, known: readonly string[]): boolean {
  return words !== '' && words.length <= LONGEST && !known.some((name) => name.toLowerCase() === words.toLowerCase());
}
