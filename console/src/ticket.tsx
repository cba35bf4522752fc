import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { Answer } from './answer.tsx';
import { ApiFailure } from './api.ts';
import { Beside } from './beside.tsx';
import { useCell } from './cell.ts';
import type { Conversation } from './conversation.ts';
import { NoTicket } from './empty.tsx';
import { problemText } from './failure.ts';
import { isTyping } from './focus.ts';
import { Icon, iconOf } from './icons.tsx';
import { useInboxTexts } from './inbox-texts.ts';
import type { InboxTexts } from './inbox-texts.ts';
import { MessageView } from './message.tsx';
import { priorities, statuses, topOf } from './place.ts';
import { useParts, useTexts } from './parts.ts';
import type { Texts } from './texts.ts';
import type { Customer, Priority, TicketStatus, TicketView } from './views.ts';

/** One ticket: what it is, what was said, and the box to answer in. */
export function TicketPane() {
  const { conversation, seen } = useParts();
  const open = useCell(conversation.state);
  const ticket = open?.ticket;

  useEffect(() => {
    const look = () => {
      if (ticket && document.visibilityState === 'visible') seen.see(ticket);
    };
    look();
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
    };
  }, [ticket, seen]);

  if (!open) {
    return (
      <section class="ticket nothing">
        <NoTicket />
      </section>
    );
  }
  return (
    <section class="ticket" key={open.id}>
      {ticket ? <Opened open={open} ticket={ticket} /> : <Unopened open={open} />}
    </section>
  );
}

function Unopened({ open }: { readonly open: Conversation }) {
  const { conversation } = useParts();
  const { t } = useTexts();
  if (open.loading) return <Header>{''}</Header>;
  return (
    <>
      <Header>{''}</Header>
      <div class="empty">
        <p>{open.failed === 404 ? t.empty.missing : t.empty.broken}</p>
        {open.failed !== 404 && <button onClick={() => conversation.refresh()}>{t.empty.again}</button>}
      </div>
    </>
  );
}

function Opened({ open, ticket }: { readonly open: Conversation; readonly ticket: TicketView }) {
  const { t } = useTexts();
  const heading = useRef<HTMLHeadingElement>(null);
  // As it is drawn: later somebody may be in the box already. A slow answer takes the focus from nobody who types.
  useLayoutEffect(() => {
    if (!isTyping(document.activeElement)) heading.current?.focus({ preventScroll: true });
  }, [ticket.id]);
  return (
    <>
      <Header>
        <h1 ref={heading} tabIndex={-1} dir="auto">
          <span class="number">#{ticket.number}</span> {ticket.subject || t.noSubject}
        </h1>
        <div class="line">
          <Who ticket={ticket} customer={open.customer} />
          <Controls open={open} ticket={ticket} />
        </div>
        {ticket.mergedInto !== null && (
          <p class="merged">
            {t.mergedInto} <a href={`/t/${encodeURIComponent(ticket.mergedInto)}`}>{t.empty.open}</a>
          </p>
        )}
      </Header>
      <Beside ticket={ticket} customer={open.customer} />
      <Messages open={open} />
      {ticket.mergedInto === null && <Answer ticket={ticket} />}
    </>
  );
}

function Header({ children }: { readonly children: ComponentChildren }) {
  const { route } = useParts();
  const { t } = useTexts();
  return (
    <header class="head">
      <button class="back" aria-label={t.back} onClick={() => route.go({ id: undefined })}>
        <Icon name="back" />
      </button>
      <div class="about">{children}</div>
    </header>
  );
}

function Who({ ticket, customer }: { readonly ticket: TicketView; readonly customer: Customer | undefined }) {
  const { route } = useParts();
  const { t } = useTexts();
  const reachable = (customer?.identifiers ?? []).filter(({ kind }) => kind === 'email' || kind === 'phone');
  return (
    <ul class="who">
      <li class="name" dir="auto">
        <a {...route.link({ ...topOf('customers'), id: ticket.customer.id })}>{ticket.customer.name ?? t.unnamed}</a>
      </li>
      {reachable.slice(0, 4).map(({ kind, value, trust }) => (
        <li key={`${kind} ${value}`} title={trust === 'verified' ? undefined : t.unverified}>
          <Icon name={kind === 'email' ? 'mail' : 'call'} /> <span>{value}</span>
          {trust !== 'verified' && <span class="doubt">?</span>}
        </li>
      ))}
      <li>
        <Icon name={iconOf(ticket.channel.type)} /> <span>{ticket.channel.id}</span>
      </li>
    </ul>
  );
}

function Controls({ open, ticket }: { readonly open: Conversation; readonly ticket: TicketView }) {
  const { conversation, choosing, colleagues } = useParts();
  const { t } = useTexts();
  const w = useInboxTexts();
  useCell(colleagues.state);
  const { assignee, team, tags } = ticket;
  const owner = [assignee === null ? undefined : colleagues.nameOf(assignee), team].filter(Boolean).join(' · ');
  return (
    <div class="controls">
      <button class="owner" title={`${w.assign} (A)`} onClick={() => choosing.set('assignee')}>
        <Icon name="person" />
        <span class="spoken">{w.assignee}: </span>
        <span dir="auto">{owner || w.nobody}</span>
      </button>
      <label>
        <span>{t.status}</span>
        <select
          value={ticket.status}
          data-status={ticket.status}
          onChange={(event) => void conversation.change({ status: event.currentTarget.value as TicketStatus })}
        >
          {statuses.map((status) => (
            <option key={status} value={status}>
              {t.statuses[status]}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{t.priority}</span>
        <select
          value={ticket.priority}
          onChange={(event) => void conversation.change({ priority: event.currentTarget.value as Priority })}
        >
          {priorities.map((priority) => (
            <option key={priority} value={priority}>
              {t.priorities[priority]}
            </option>
          ))}
        </select>
      </label>
      <ul class="labels">
        {tags.map((tag) => (
          <li key={tag}>
            <span dir="auto">{tag}</span>
            <button
              aria-label={w.removeTag(tag)}
              title={w.removeTag(tag)}
              onClick={() => void conversation.change({ tags: tags.filter((one) => one !== tag) })}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      <button class="tagging" title={`${w.tags} (#)`} onClick={() => choosing.set('tags')}>
        <Icon name="tag" /> {w.tags}
      </button>
      {open.problem !== undefined && (
        <p class="problem" role="alert">
          {problemOf(open.problem, t, w)}
        </p>
      )}
    </div>
  );
}

function problemOf(problem: unknown, t: Texts, w: InboxTexts): string {
  return problem instanceof ApiFailure && problem.status === 412 ? w.moved : problemText(problem, t);
}

/** Follows the end of the conversation, unless somebody has scrolled up to read. */
function Messages({ open }: { readonly open: Conversation }) {
  const { t } = useTexts();
  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const element = scroller.current;
    const list = element?.firstElementChild;
    if (!element || !list) return;
    // Messages that come, and those whose height is only known once they are seen.
    const observer = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(list);
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, []);
  const settle = () => {
    const element = scroller.current;
    if (element) atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 80;
  };
  return (
    <div class="messages" ref={scroller} onScroll={settle} tabIndex={0} role="region" aria-label={t.messages}>
      <ol>
        {open.messages.map((message) => (
          <li key={message.id}>
            <MessageView message={message} />
          </li>
        ))}
      </ol>
    </div>
  );
}
