import './ledger.css';
import { useCell } from '../../cell.ts';
import { useParts } from '../../parts.ts';
import { EventList } from './list.tsx';
import { EventPage } from './page.tsx';
import { useEvents } from './use-events.ts';

/** What became of everything that came in, or the whole way of one thing. */
export function Ledger() {
  const { route } = useParts();
  const { id } = useCell(route.place);
  // Read here: whoever comes back to the list finds his row at once.
  const events = useEvents();
  return id === undefined ? <EventList events={events} /> : <EventPage key={id} id={id} />;
}
