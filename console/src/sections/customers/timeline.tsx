import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useCell } from '../../cell.ts';
import { MessageView } from '../../message.tsx';
import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import type { Ticket } from '../../views.ts';
import { customerCalls } from './calls.ts';
import { extended, isOtherTicket, renewed } from './decide.ts';
import type { Shown } from './decide.ts';
import { useWords } from './words.tsx';

/** Nearer to the end than this somebody follows it. */
const NEAR_PX = 80;

/** What was said in all tickets of a customer, through all channels, as one; earlier pages above. */
export function Timeline({
  customerId,
  tickets,
}: {
  readonly customerId: string;
  readonly tickets: readonly Ticket[];
}) {
  const { endpoints } = useParts();
  const { t, c } = useWords();
  const { readAt } = useCell(endpoints.state);
  const [shown, setShown] = useState<Shown | undefined>();
  const [isBroken, setBroken] = useState(false);
  useEffect(() => {
    let isWanted = true;
    customerCalls.timeline(customerId, undefined).then(
      (page) => {
        if (!isWanted) return;
        setBroken(false);
        setShown((before) => renewed(before, page));
      },
      () => {
        if (isWanted) setBroken(true);
      },
    );
    return () => {
      isWanted = false;
    };
  }, [customerId, readAt]);
  const readEarlier = async () => {
    if (!shown || shown.cursor === null) return;
    try {
      const page = await customerCalls.timeline(customerId, shown.cursor);
      // Meanwhile the newest may have come: what is extended is what is shown now.
      setShown((now) => (now && now.cursor === shown.cursor ? extended(now, page) : now));
      setBroken(false);
    } catch {
      setBroken(true);
    }
  };
  return (
    <div class="timeline">
      <h2 id="timeline">{c.timeline}</h2>
      {isBroken && <p class="notice">{t.empty.broken}</p>}
      {shown?.messages.length === 0 && <p class="none">{c.noTimeline}</p>}
      <Scroller shown={shown} tickets={tickets} readEarlier={() => void readEarlier()} />
    </div>
  );
}

/** Stands at the end until somebody scrolls, and stays with what is read when earlier messages come above it. */
function Scroller(given: {
  readonly shown: Shown | undefined;
  readonly tickets: readonly Ticket[];
  readonly readEarlier: () => void;
}) {
  const { shown, tickets, readEarlier } = given;
  const { c } = useWords();
  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  /** Distance of what is read from the end, while earlier messages are fetched. */
  const kept = useRef<number | undefined>(undefined);
  const first = shown?.messages[0]?.id;
  useEffect(() => {
    const element = scroller.current;
    const list = element?.querySelector('ol');
    if (!element || !list) return;
    const observer = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(list);
    return () => {
      observer.disconnect();
    };
  }, [shown === undefined]);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element || kept.current === undefined) return;
    element.scrollTop = element.scrollHeight - kept.current;
    kept.current = undefined;
  }, [first]);
  const settle = () => {
    const element = scroller.current;
    if (element) atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
  };
  if (!shown || shown.messages.length === 0) return null;
  return (
    <div class="said" ref={scroller} onScroll={settle} tabIndex={0} role="region" aria-labelledby="timeline">
      {shown.cursor !== null && (
        <button
          class="more"
          onClick={() => {
            const element = scroller.current;
            atEnd.current = false;
            if (element) kept.current = element.scrollHeight - element.scrollTop;
            readEarlier();
          }}
        >
          {c.earlier}
        </button>
      )}
      <ol>
        {shown.messages.map((message, index) => (
          <li key={message.id}>
            {isOtherTicket(shown.messages, index) && <OfTicket ticketId={message.ticketId} tickets={tickets} />}
            <MessageView message={message} />
          </li>
        ))}
      </ol>
    </div>
  );
}

/** Where what follows belongs to another ticket: to which one. */
function OfTicket({ ticketId, tickets }: { readonly ticketId: string | null; readonly tickets: readonly Ticket[] }) {
  const { route } = useParts();
  const { t, c } = useWords();
  const ticket = tickets.find(({ id }) => id === ticketId);
  return (
    <p class="of-ticket">
      {ticketId === null ? (
        c.gone
      ) : (
        <a dir="auto" {...route.link({ ...topOf('inbox'), id: ticketId })}>
          {ticket ? `#${ticket.number} ${ticket.subject || t.noSubject}` : c.ticket}
        </a>
      )}
    </p>
  );
}
