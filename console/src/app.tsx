import { useEffect, useRef } from 'preact/hooks';
import { useAnswerFocus } from './answer.tsx';
import { useCell } from './cell.ts';
import { Help, useKeys } from './keys.tsx';
import { List } from './list.tsx';
import { useParts, useTexts } from './parts.ts';
import { isUnread } from './seen.ts';
import { TicketPane } from './ticket.tsx';
import { Top } from './top.tsx';

/** The page: the list on the left, one ticket on the right; on a narrow screen one of them. */
export function App() {
  const { route, spoken, language } = useParts();
  const { ticket } = useCell(route.place);
  const help = useRef<HTMLDialogElement>(null);
  const tag = useCell(language);
  useKeys({ answer: useAnswerFocus(), help: () => help.current?.showModal() });
  useTitle();
  useEffect(() => {
    document.documentElement.lang = tag;
  }, [tag]);
  return (
    <div class="page" data-open={ticket === undefined ? 'list' : 'ticket'}>
      <Top help={() => help.current?.showModal()} />
      <main>
        <List />
        <TicketPane />
      </main>
      <Help dialog={help} />
      <p class="spoken" role="status" aria-live="polite">
        {useCell(spoken)}
      </p>
    </div>
  );
}

/** The tab says how many tickets are unread, and which one is open. */
function useTitle(): void {
  const { inbox, seen, conversation } = useParts();
  const { t } = useTexts();
  const { tickets } = useCell(inbox.state);
  const marks = useCell(seen.marks);
  const ticket = useCell(conversation.state)?.ticket;
  const unread = tickets.filter((one) => isUnread(one, marks)).length;
  const what = ticket ? `#${ticket.number} ${ticket.subject}` : t.inbox;
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${what} · Tributary`;
  }, [unread, what]);
}
