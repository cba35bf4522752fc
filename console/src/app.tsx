import { useEffect, useRef, useState } from 'preact/hooks';
import { useCell } from './cell.ts';
import { choicesOf } from './choosing.ts';
import { commandsOf } from './commands.ts';
import { endpointIn } from './endpoints.ts';
import { useFocus } from './focus.ts';
import { Help, useKeys } from './keys.tsx';
import { List } from './list.tsx';
import { Nav } from './nav.tsx';
import { Palette } from './palette.tsx';
import { useParts, useTexts } from './parts.ts';
import { SectionPage } from './section.tsx';
import { isUnread } from './seen.ts';
import { TicketPane } from './ticket.tsx';
import { Top } from './top.tsx';

/** The page: a way to each section, and the one that is shown. */
export function App() {
  const parts = useParts();
  const { route, spoken, language, density, choosing } = parts;
  const { section, id, task } = useCell(route.place);
  const page = section === 'inbox' || task === 'look' ? section : 'connect';
  const help = useRef<HTMLDialogElement>(null);
  const [palette, setPalette] = useState<'open' | 'closed'>('closed');
  const { t } = useTexts();
  const what = useCell(choosing);
  const choices = what && choicesOf(what, parts);
  const tag = useCell(language);
  const room = useCell(density);
  const acts = { focus: useFocus(), help: () => help.current?.showModal() };
  const openPalette = () => setPalette('open');
  useKeys(acts, openPalette);
  useTitle();
  useEffect(() => {
    document.documentElement.lang = tag;
    document.documentElement.dataset['density'] = room;
  }, [tag, room]);
  return (
    <div class="page" data-section={section} data-open={id === undefined ? 'list' : 'one'}>
      <Top help={acts.help} palette={openPalette} />
      <Nav />
      <main>{page === 'inbox' ? <InboxPage /> : <SectionPage key={page} name={page} />}</main>
      <Help dialog={help} />
      {palette === 'open' && (
        <Palette label={t.commands} commands={commandsOf(parts, acts)} close={() => setPalette('closed')} />
      )}
      {choices && <Palette key={what} {...choices} close={() => choosing.set(undefined)} />}
      <p class="spoken" role="status" aria-live="polite">
        {useCell(spoken)}
      </p>
    </div>
  );
}

/** The list on the left, one ticket on the right; on a narrow screen one of them. */
function InboxPage() {
  return (
    <div class="inbox">
      <List />
      <TicketPane />
    </div>
  );
}

/** The tab says how many tickets are unread, and which one is open. */
function useTitle(): void {
  const { inbox, seen, conversation, route, endpoints, named } = useParts();
  const own = useCell(named);
  const { t } = useTexts();
  const { section, id } = useCell(route.place);
  const known = useCell(endpoints.state);
  const { tickets } = useCell(inbox.state);
  const marks = useCell(seen.marks);
  const ticket = useCell(conversation.state)?.ticket;
  const unread = tickets.filter((one) => isUnread(one, marks)).length;
  const open =
    id === undefined ? undefined : endpointIn(known, section === 'destinations' ? 'destination' : 'channel', id)?.name;
  const elsewhere = section === 'inbox' ? t.inbox : (own ?? open ?? t.sections[section]);
  const what = ticket ? `#${ticket.number} ${ticket.subject}` : elsewhere;
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${what} · Tributary`;
  }, [unread, what]);
}
