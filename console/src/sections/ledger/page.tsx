import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { ApiFailure } from '../../api.ts';
import type { Api } from '../../api.ts';
import { useCell } from '../../cell.ts';
import { Copy } from '../../copy.tsx';
import { Icon } from '../../icons.tsx';
import { useParts, useTexts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { useReading } from '../../reading.ts';
import { exactTime, longTime } from '../../time.ts';
import type { EventView } from '../../views.ts';
import { OutcomeState } from '../outcome.tsx';
import { Missing, Sheet } from '../sheet.tsx';
import { Decided } from './decided.tsx';
import { EndpointName } from './list.tsx';
import { Others } from './others.tsx';
import { PassedOn } from './passed-on.tsx';
import { Received } from './received.tsx';
import { useLedgerTexts } from './use-texts.ts';
import { Understood } from './understood.tsx';

/** The whole way of one thing that came in. `id`: of its event, or of the message that came of it. */
export function EventPage({ id }: { readonly id: string }) {
  const { api, endpoints } = useParts();
  const words = useLedgerTexts();
  const { readAt } = useCell(endpoints.state);
  // It never changes: once it is there, it is not asked for again.
  const first = useRef<string | undefined>(undefined);
  const beat = first.current ?? `${readAt}`;
  const { value, failed } = useReading(() => eventOf(api, id), id, beat);
  if (value) first.current ??= beat;
  if (value) return <Opened event={value} beat={`${readAt}`} />;
  if (failed === undefined) return <section class="sheet" aria-busy="true" />;
  return <Missing text={failed === 404 ? (isMessage(id) ? words.noEvent : words.missing) : undefined} />;
}

function isMessage(id: string): boolean {
  return id.startsWith('msg_');
}

async function eventOf(api: Api, id: string): Promise<EventView> {
  if (!isMessage(id)) return api.event(id);
  const { data } = await api.events({ message: id });
  // The first one; the others filed it again.
  const filed = data.at(-1);
  if (!filed) throw new ApiFailure(404, '');
  return api.event(filed.id);
}

function Opened({ event, beat }: { readonly event: EventView; readonly beat: string }) {
  const { endpoints, route } = useParts();
  const { t, language } = useTexts();
  const words = useLedgerTexts();
  const { destination } = useCell(endpoints.state);
  const { id, outcome, receivedAt, endpoint } = event;
  const section = destination.some((one) => one.id === endpoint) ? 'destinations' : 'channels';
  return (
    <Sheet title={<OutcomeState outcome={outcome} />}>
      <p class="under">
        <a {...route.link({ id: undefined, delivery: undefined })}>
          <Icon name="back" /> {t.sections.events}
        </a>
        <time dateTime={receivedAt} title={longTime(receivedAt, language)}>
          {exactTime(receivedAt, language, 'medium')}
        </time>
        <a {...route.link({ ...topOf(section), id: endpoint })}>
          <EndpointName id={endpoint} />
        </a>
        <span class="key">{id}</span>
        <Copy text={id} what={words.copyId} />
      </p>
      <ol class="way">
        <Step name="received" title={words.steps.received}>
          <Received event={event} />
        </Step>
        <Step name="understood" title={words.steps.understood}>
          <Understood event={event} />
        </Step>
        <Step name="decided" title={words.steps.decided}>
          <Decided event={event} />
        </Step>
        <Step name="passed-on" title={words.steps.passedOn}>
          <PassedOn event={event} beat={beat} />
        </Step>
        <Step name="others" title={words.steps.others}>
          <Others event={event} beat={beat} />
        </Step>
      </ol>
    </Sheet>
  );
}

/** One station of the way. */
function Step(given: { readonly name: string; readonly title: string; readonly children: ComponentChildren }) {
  const { name, title, children } = given;
  return (
    <li>
      <section aria-labelledby={name}>
        <h2 id={name}>{title}</h2>
        {children}
      </section>
    </li>
  );
}
