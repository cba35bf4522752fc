import { useEffect, useRef } from 'preact/hooks';
import { useCell } from './cell.ts';
import { EmptyList } from './empty.tsx';
import { Icon, iconOf } from './icons.tsx';
import { useParts, useTexts } from './parts.ts';
import { statusChoices } from './place.ts';
import type { StatusChoice } from './place.ts';
import { isUnread } from './seen.ts';
import { longTime, shortTime } from './time.ts';
import type { Ticket } from './views.ts';

/** Further down than this somebody is reading. */
const TOP = 8;

/** The list of tickets with its search. */
export function List() {
  const { inbox, route } = useParts();
  const { t } = useTexts();
  const { id } = useCell(route.place);
  const { tickets, waiting, loading, more } = useCell(inbox.state);
  const scroller = useRef<HTMLDivElement>(null);
  const pointed = useRef(false);

  // Away from here nobody points at it.
  useEffect(() => () => inbox.release(), [inbox]);

  const settle = () => {
    const reading = (scroller.current?.scrollTop ?? 0) > TOP;
    if (pointed.current || reading) inbox.hold();
    else inbox.release();
  };
  const point = (state: 'in' | 'out') => (event: PointerEvent) => {
    // A finger leaves nothing behind to keep still for.
    pointed.current = state === 'in' && event.pointerType === 'mouse';
    settle();
  };
  const showFresh = () => {
    inbox.release();
    scroller.current?.scrollTo({ top: 0 });
    settle();
  };

  return (
    <section class="list" aria-label={t.inbox} onPointerEnter={point('in')} onPointerLeave={point('out')}>
      {id === undefined && <h1 class="spoken">{t.inbox}</h1>}
      <Filters />
      {waiting > 0 && (
        <button class="pill" onClick={showFresh}>
          {t.fresh(waiting)} <span aria-hidden="true">↑</span>
        </button>
      )}
      <div class="rows" ref={scroller} onScroll={settle}>
        {tickets.length === 0 && !loading ? <EmptyList /> : null}
        <ul aria-busy={loading}>
          {tickets.map((ticket) => (
            <Row key={ticket.id} ticket={ticket} />
          ))}
        </ul>
        {more && (
          <button class="more" onClick={() => inbox.readMore()}>
            {t.more}
          </button>
        )}
      </div>
    </section>
  );
}

function Filters() {
  const { route } = useParts();
  const { t } = useTexts();
  const { q, status } = useCell(route.place);
  const box = useRef<HTMLInputElement>(null);

  // Who types is ahead of what is drawn: the address never takes letters back from him.
  useEffect(() => {
    if (box.current && box.current !== document.activeElement) box.current.value = q;
  }, [q]);

  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label class="search">
        <Icon name="search" />
        <input
          ref={box}
          id="search"
          type="search"
          maxLength={200}
          placeholder={t.search}
          aria-label={t.search}
          onInput={(event) => route.amend({ q: event.currentTarget.value })}
        />
      </label>
      <select
        aria-label={t.statusFilter}
        value={status}
        onChange={(event) => route.go({ status: event.currentTarget.value as StatusChoice })}
      >
        {statusChoices.map((choice) => (
          <option key={choice} value={choice}>
            {choice === 'unsolved' || choice === 'all' ? t.choices[choice] : t.statuses[choice]}
          </option>
        ))}
      </select>
    </form>
  );
}

function Row({ ticket }: { readonly ticket: Ticket }) {
  const { route, seen } = useParts();
  const { t, language } = useTexts();
  const place = useCell(route.place);
  const unread = isUnread(ticket, useCell(seen.marks));
  const { id, number, subject, status, priority, channel, customer, updatedAt } = ticket;
  const at = ticket.lastMessageAt ?? updatedAt;

  return (
    <li>
      <a
        class={unread ? 'row unread' : 'row'}
        aria-current={place.id === id ? 'true' : undefined}
        data-row={id}
        {...route.link({ id })}
      >
        <span class="mark">{unread && <span class="dot" role="img" aria-label={t.unread} />}</span>
        <span class="who" dir="auto">
          {customer.name ?? t.unnamed}
        </span>
        <time dateTime={at} title={longTime(at, language)}>
          {shortTime(at, language)}
        </time>
        <span class="subject" dir="auto">
          {subject || t.noSubject}
        </span>
        <span class="facts">
          <span class="number">#{number}</span>
          <span class="channel">
            <Icon name={iconOf(channel.type)} /> <span>{channel.id}</span>
          </span>
          {(priority === 'high' || priority === 'urgent') && (
            <span class="priority" data-priority={priority}>
              <Icon name="alert" /> {t.priorities[priority]}
            </span>
          )}
          <span class="status" data-status={status}>
            {t.statuses[status]}
          </span>
        </span>
      </a>
    </li>
  );
}
