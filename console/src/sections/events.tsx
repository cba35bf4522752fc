import { useState } from 'preact/hooks';
import { useCell } from '../cell.ts';
import { useParts, useTexts } from '../parts.ts';
import { topOf } from '../place.ts';
import { readPages, useReading } from '../reading.ts';
import { longTime } from '../time.ts';
import { outcomes } from '../views.ts';
import type { EndpointView, LedgerEvent, PayloadView } from '../views.ts';
import { OutcomeState } from './outcome.tsx';
import { Ago, Block } from './sheet.tsx';

/** What became of everything that this channel has received, newest first. */
export function Events({ endpoint: { id } }: { readonly endpoint: EndpointView }) {
  const { api, endpoints, route } = useParts();
  const { t } = useTexts();
  const { readAt } = useCell(endpoints.state);
  const { outcome } = useCell(route.place);
  const [pages, setPages] = useState(1);
  const { value, failed } = useReading(
    () => readPages((cursor) => api.events({ endpoint: id, outcome, cursor }), pages),
    `${id} ${outcome ?? ''}`,
    `${readAt} ${pages}`,
  );
  const choose = (wanted: string) => {
    setPages(1);
    route.go({ outcome: outcomes.find((one) => one === wanted) });
  };
  return (
    <Block
      id="events"
      title={t.endpoints.events}
      tools={
        <select
          aria-label={t.endpoints.outcome}
          value={outcome ?? ''}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          <option value="">{t.endpoints.anyOutcome}</option>
          {outcomes.map((one) => (
            <option key={one} value={one}>
              {t.endpoints.outcomes[one]}
            </option>
          ))}
        </select>
      }
    >
      {failed !== undefined && !value && <p class="hint">{t.empty.broken}</p>}
      {value?.data.length === 0 && <p class="none">{outcome ? t.empty.nothingFound : t.endpoints.noEvents}</p>}
      {value && value.data.length > 0 && (
        <ul class="log">
          {value.data.map((event) => (
            <li key={event.id}>
              <Line event={event} />
            </li>
          ))}
        </ul>
      )}
      {value && value.nextCursor !== null && (
        <button class="more" onClick={() => setPages(pages + 1)}>
          {t.more}
        </button>
      )}
    </Block>
  );
}

function Line({ event }: { readonly event: LedgerEvent }) {
  const { route } = useParts();
  const { t, language } = useTexts();
  const [isOpen, setOpen] = useState(false);
  const { id, outcome, reason, receivedAt, externalId, ticketId } = event;
  return (
    <>
      <details onToggle={(toggle) => setOpen(toggle.currentTarget.open)}>
        <summary>
          <Ago at={receivedAt} />
          <OutcomeState outcome={outcome} />
          <span class="what" dir="auto">
            {reason ?? externalId}
          </span>
        </summary>
        <p>{[longTime(receivedAt, language), externalId, id].filter(Boolean).join(' · ')}</p>
        {isOpen && <Received eventId={id} />}
        <p>
          <a {...route.link({ ...topOf('events'), id })}>{t.wholeWay}</a>
        </p>
      </details>
      {ticketId !== null && <a {...route.link({ section: 'inbox', id: ticketId })}>{t.endpoints.toTicket}</a>}
    </>
  );
}

/** More than this of a body says no more to a person. */
const SHOWN = 20_000;

/** What came, as it came; fetched when somebody wants to see it. */
function Received({ eventId }: { readonly eventId: string }) {
  const { api } = useParts();
  const { t } = useTexts();
  const { value, failed } = useReading(() => api.event(eventId), eventId, '');
  if (failed !== undefined) return <p>{t.empty.broken}</p>;
  if (value === undefined) return null;
  const { payload } = value;
  return (
    <>
      <p>{t.endpoints.payload}:</p>
      <pre tabIndex={0}>{payload === null ? t.endpoints.gone : shown(payload, t.endpoints.gone)}</pre>
    </>
  );
}

function shown({ method, url, headers, body }: PayloadView, gone: string): string {
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${url}`, ...head, '', body ? body.content.slice(0, SHOWN) : gone].join('\n');
}
