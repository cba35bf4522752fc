import type { Command } from './commands.ts';
import { inboxTexts } from './inbox-texts.ts';
import type { Parts } from './parts.ts';
import { placeOfView, priorities, statuses, views } from './place.ts';
import { textsOf } from './texts.ts';

/** Ways to the views of the inbox. */
export function viewCommands({ route, language }: Parts): Command[] {
  const w = inboxTexts[language.get()];
  return views.map((view, index) => ({
    id: `view ${view}`,
    title: `${w.views}: ${w.view[view]}`,
    keys: `Alt+Digit${index + 1}`,
    run: () => route.go({ ...placeOfView(view), id: undefined }),
  }));
}

/** What can be changed of the ticket that is open. */
export function ticketCommands(parts: Parts): Command[] {
  const { conversation, colleagues, choosing, language } = parts;
  const ticket = conversation.state.get()?.ticket;
  if (!ticket || ticket.mergedInto !== null) return [];
  const t = textsOf(language.get());
  const w = inboxTexts[language.get()];
  const isOpen = ticket.status !== 'solved' && ticket.status !== 'closed';
  return [
    { id: 'assign', title: w.assign, keys: 'KeyA', run: () => choosing.set('assignee') },
    ...(ticket.assignee === colleagues.ownId
      ? []
      : [
          {
            id: 'assign to me',
            title: w.assignToMe,
            keys: 'KeyM',
            run: () => void conversation.change({ assignee: colleagues.ownId }),
          },
        ]),
    { id: 'tags', title: w.tags, keys: 'Shift+Digit3', run: () => choosing.set('tags') },
    { id: 'priority', title: w.setPriority, keys: 'KeyP', run: () => choosing.set('priority') },
    ...(isOpen
      ? [
          {
            id: 'resolve',
            title: w.resolve,
            keys: 'KeyE',
            run: () => void conversation.change({ status: 'solved' }),
          },
          { id: 'resolve next', title: w.resolveNext, keys: 'Shift+KeyE', run: () => void resolveThenNext(parts) },
        ]
      : []),
    ...statuses
      .filter((status) => status !== ticket.status)
      .map((status) => ({
        id: status,
        title: `${t.status}: ${t.statuses[status]}`,
        run: () => void conversation.change({ status }),
      })),
    ...priorities
      .filter((priority) => priority !== ticket.priority)
      .map((priority) => ({
        id: priority,
        title: `${t.priority}: ${t.priorities[priority]}`,
        run: () => void conversation.change({ priority }),
      })),
  ];
}

/** To the ticket below it in the list, or the one above at the end; stays where it could not be resolved. */
export async function resolveThenNext({ conversation, inbox, route }: Parts): Promise<void> {
  const { id } = route.place.get();
  const { tickets } = inbox.state.get();
  const at = tickets.findIndex((ticket) => ticket.id === id);
  const next = at < 0 ? tickets[0] : (tickets[at + 1] ?? tickets[at - 1]);
  if ((await conversation.change({ status: 'solved' })) && route.place.get().id === id) route.go({ id: next?.id });
}
