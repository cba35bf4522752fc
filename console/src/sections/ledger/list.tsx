import { useEffect, useRef } from 'preact/hooks';
import { useCell } from '../../cell.ts';
import { Icon, iconOf } from '../../icons.tsx';
import { useParts, useTexts } from '../../parts.ts';
import { spans } from '../../replay.ts';
import { useReading } from '../../reading.ts';
import { exactTime, longTime } from '../../time.ts';
import { outcomes } from '../../views.ts';
import type { LedgerEvent } from '../../views.ts';
import { OutcomeState } from '../outcome.tsx';
import { Sheet } from '../sheet.tsx';
import { byDay, dayName } from './days.ts';
import { shortReason } from './reason.ts';
import { useLedgerTexts } from './use-texts.ts';
import type { Events } from './use-events.ts';

/** What became of everything that came in, newest first. */
export function EventList({ events }: { readonly events: Events }) {
  const { t } = useTexts();
  const words = useLedgerTexts();
  const { page, failed, fresh, still, more } = events;
  const point = (isIn: boolean) => (event: PointerEvent) => {
    // A finger leaves nothing behind to keep still for.
    still(isIn && event.pointerType === 'mouse');
  };
  return (
    <Sheet title={t.sections.events}>
      <p class="hint">{words.hint}</p>
      <Balance />
      <Finder />
      {failed && !page && <p class="hint">{t.empty.broken}</p>}
      {page && page.data.length === 0 && <Nothing isPartly={more !== undefined} />}
      <div class="days" onPointerEnter={point(true)} onPointerLeave={point(false)}>
        {fresh > 0 && (
          <button class="pill" onClick={() => still(false)}>
            {t.fresh(fresh)} <span aria-hidden="true">↑</span>
          </button>
        )}
        {page && <Days events={page.data} />}
        {more && (
          <button class="more" onClick={more}>
            {page?.data.length === 0 ? words.further : t.more}
          </button>
        )}
      </div>
    </Sheet>
  );
}

/** Whether it is known of everything what became of it. */
function Balance() {
  const { api } = useParts();
  const words = useLedgerTexts();
  const { value } = useReading(() => api.balance(), '', '');
  if (!value) return null;
  return value.balanced ? (
    <p class="hint">{words.balanced(value.received)}</p>
  ) : (
    <p class="notice" data-look="act">
      {words.unbalanced}
    </p>
  );
}

function Finder() {
  const { route } = useParts();
  const { t } = useTexts();
  const words = useLedgerTexts();
  const { find, outcome, span } = useCell(route.place);
  const box = useRef<HTMLInputElement>(null);
  // Who types is ahead of what is drawn: the address never takes letters back from him.
  useEffect(() => {
    if (box.current && box.current !== document.activeElement) box.current.value = find;
  }, [find]);
  return (
    <form class="finder" role="search" onSubmit={(event) => event.preventDefault()}>
      <label class="search">
        <Icon name="search" />
        <input
          ref={box}
          id="search"
          type="search"
          maxLength={200}
          placeholder={words.find}
          aria-label={words.find}
          onInput={(event) => route.amend({ find: event.currentTarget.value })}
        />
      </label>
      <Where />
      <select
        aria-label={t.endpoints.outcome}
        value={outcome ?? ''}
        onChange={(event) => route.go({ outcome: outcomes.find((one) => one === event.currentTarget.value) })}
      >
        <option value="">{t.endpoints.anyOutcome}</option>
        {outcomes.map((one) => (
          <option key={one} value={one}>
            {t.endpoints.outcomes[one]}
          </option>
        ))}
      </select>
      <select
        aria-label={words.since}
        value={span}
        onChange={(event) => route.go({ span: spans.find((one) => one === event.currentTarget.value) ?? 'all' })}
      >
        {spans.map((one) => (
          <option key={one} value={one}>
            {t.delivery.spans[one]}
          </option>
        ))}
      </select>
    </form>
  );
}

/** Which channel, or which destination: what agents do there comes in too. */
function Where() {
  const { endpoints, route } = useParts();
  const { t } = useTexts();
  const words = useLedgerTexts();
  const known = useCell(endpoints.state);
  const { from } = useCell(route.place);
  const all = [...known.channel, ...known.destination];
  return (
    <select
      aria-label={words.where}
      value={from ?? ''}
      onChange={(event) => route.go({ from: event.currentTarget.value || undefined })}
    >
      <option value="">{words.anywhere}</option>
      {from !== undefined && !all.some(({ id }) => id === from) && <option value={from}>{from}</option>}
      {(['channel', 'destination'] as const).map((role) => (
        <optgroup key={role} label={t.sections[`${role}s`]}>
          {known[role].map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </optgroup>
      ))}
    </select>
  );
}

function Nothing({ isPartly }: { readonly isPartly: boolean }) {
  const { route } = useParts();
  const { t } = useTexts();
  const words = useLedgerTexts();
  const { find, from, outcome, span } = useCell(route.place);
  const isNarrowed = find !== '' || from !== undefined || outcome !== undefined || span !== 'all';
  return (
    <p class="none" role="status">
      {isPartly ? words.soFar : isNarrowed ? t.empty.nothingFound : t.endpoints.noEvents}
    </p>
  );
}

function Days({ events }: { readonly events: readonly LedgerEvent[] }) {
  const { language } = useTexts();
  return (
    <>
      {byDay(events).map(([day, members]) => (
        <section key={day} class="group" aria-labelledby={`day-${day}`}>
          <h2 id={`day-${day}`}>{dayName(members[0]?.receivedAt ?? '', Date.now(), language)}</h2>
          <ul class="entries">
            {members.map((event) => (
              <li key={event.id}>
                <Entry event={event} />
              </li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Entry({ event }: { readonly event: LedgerEvent }) {
  const { route } = useParts();
  const { language } = useTexts();
  const words = useLedgerTexts();
  const { id, outcome, receivedAt, endpoint, externalId, replayOf } = event;
  const reason = shortReason(event, words);
  return (
    <a class="entry" data-row={id} {...route.link({ id, delivery: undefined })}>
      <time dateTime={receivedAt} title={longTime(receivedAt, language)}>
        {exactTime(receivedAt, language, 'none')}
      </time>
      <OutcomeState outcome={outcome} />
      <EndpointName id={endpoint} />
      <span class="what" dir="auto">
        {reason}
        {replayOf !== null && <span class="chip">{words.again}</span>}
      </span>
      <span class="key">{externalId}</span>
    </a>
  );
}

/** Where it came in, by name. */
export function EndpointName({ id }: { readonly id: string }) {
  const { endpoints } = useParts();
  const { channel, destination } = useCell(endpoints.state);
  const known = [...channel, ...destination].find((one) => one.id === id);
  return (
    <span class="from">
      <Icon name={known?.role === 'destination' ? 'destinations' : iconOf(known?.type ?? '')} />{' '}
      <span dir="auto">{known?.name ?? id}</span>
    </span>
  );
}
