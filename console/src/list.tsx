import { useEffect, useRef, useState } from 'preact/hooks';
import { useCell } from './cell.ts';
import { EmptyList } from './empty.tsx';
import { Icon, iconOf } from './icons.tsx';
import { useInboxTexts } from './inbox-texts.ts';
import { useParts, useTexts } from './parts.ts';
import { anything, placeOfView, priorities, statusChoices, viewOf, views } from './place.ts';
import type { Narrowing, StatusChoice } from './place.ts';
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
      <Views />
      <Filters />
      <MoreFilters />
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

function Views() {
  const { route } = useParts();
  const w = useInboxTexts();
  const place = useCell(route.place);
  const shown = viewOf(place);
  return (
    <nav class="views" aria-label={w.views}>
      {views.map((view, index) => (
        <a
          key={view}
          aria-current={view === shown ? 'true' : undefined}
          title={`${w.view[view]} (Alt ${index + 1})`}
          {...route.link(placeOfView(view))}
        >
          {w.view[view]}
        </a>
      ))}
    </nav>
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

/** Whose, which channel, team, tag and priority. Begins open where the address names one of them. */
function MoreFilters() {
  const { route, colleagues, endpoints } = useParts();
  const { t } = useTexts();
  const w = useInboxTexts();
  const place = useCell(route.place);
  const { users, teams, tags } = useCell(colleagues.state);
  const { channel } = useCell(endpoints.state);
  const summary = useRef<HTMLElement>(null);
  const { assignee, ...others } = place;
  const set = [viewOf({ assignee }) === undefined, others.channel, others.team, others.tag, others.priority];
  const count = set.filter(Boolean).length;
  const [start] = useState(count > 0);
  const [own, ...rest] = users;
  const people = [
    ['me', own?.name ?? w.me],
    ['none', w.nobody],
    ...rest.map(({ id, name }) => [id, name] as const),
  ] as const;
  const clear = () => {
    route.go({ ...anything, ...(viewOf({ assignee }) !== undefined && { assignee }) });
    summary.current?.focus();
  };
  return (
    <details class="narrowing" open={start}>
      <summary ref={summary}>
        <Icon name="filter" /> {w.filters}
        {count > 0 && (
          <span class="count">
            <span aria-hidden="true">{count}</span>
            <span class="spoken">{w.active(count)}</span>
          </span>
        )}
      </summary>
      <div class="choices">
        <Choice name="assignee" label={w.assignee} any={w.anybody} options={people} />
        <Choice
          name="channel"
          label={w.channel}
          any={w.anyChannel}
          options={channel.map(({ id, name }) => [id, name] as const)}
        />
        <Choice
          name="priority"
          label={t.priority}
          any={w.anyPriority}
          options={priorities.map((one) => [one, t.priorities[one]] as const)}
        />
        <Choice name="tag" label={w.tag} any={w.anyTag} options={tags.map((tag) => [tag, tag] as const)} />
        <Choice name="team" label={w.team} any={w.anyTeam} options={teams.map((team) => [team, team] as const)} />
        {count > 0 && <button onClick={clear}>{w.clear}</button>}
      </div>
    </details>
  );
}

/** One filter. What the address asks for can be chosen even where nobody knows of it. */
function Choice({
  name,
  label,
  any,
  options,
}: {
  readonly name: keyof Narrowing;
  readonly label: string;
  readonly any: string;
  readonly options: readonly (readonly [value: string, name: string])[];
}) {
  const { route } = useParts();
  const value = useCell(route.place)[name] ?? '';
  const known = value === '' || options.some(([one]) => one === value);
  const all = known ? options : [...options, [value, value] as const];
  if (all.length === 0) return null;
  return (
    <select
      aria-label={label}
      value={value}
      onChange={(event) => route.go({ [name]: event.currentTarget.value || undefined })}
    >
      <option value="">{any}</option>
      {all.map(([one, title]) => (
        <option key={one} value={one}>
          {title}
        </option>
      ))}
    </select>
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
          <Marks ticket={ticket} />
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

/** Who has it, unless that is what is looked for, and how it is marked. */
function Marks({ ticket: { assignee, tags } }: { readonly ticket: Ticket }) {
  const { route, colleagues } = useParts();
  const w = useInboxTexts();
  const place = useCell(route.place);
  useCell(colleagues.state);
  return (
    <>
      {assignee !== null && place.assignee !== 'me' && (
        <span class="owner" title={`${w.assignee}: ${colleagues.nameOf(assignee)}`}>
          <Icon name="person" /> <span dir="auto">{colleagues.nameOf(assignee)}</span>
        </span>
      )}
      {tags.length > 0 && (
        <span class="owner" title={tags.join(', ')}>
          <Icon name="tag" /> <span dir="auto">{tags.length === 1 ? tags[0] : `${tags[0]} +${tags.length - 1}`}</span>
        </span>
      )}
    </>
  );
}
