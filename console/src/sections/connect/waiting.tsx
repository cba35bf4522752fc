import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { addressesOf } from '../../addresses.ts';
import { useCell } from '../../cell.ts';
import { problemText } from '../../failure.ts';
import { useParts, useTexts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { useReading } from '../../reading.ts';
import { hourOf } from '../../time.ts';
import type { EndpointView, LedgerEvent, Trial } from '../../views.ts';
import { AddressRows } from '../address-rows.tsx';
import { may } from '../../may.ts';
import { clockOf, isOfThisMachine } from './elapsed.ts';
import { useConnectTexts } from './controls.tsx';
import { pathOf, qrOf } from './qr.ts';
import { isConnected, startWaiting, stopWaiting, waitingSince } from './since.ts';
import './connect.css';
import './waiting.css';

/** Milliseconds between two looks. */
const LOOK_MS = 2000;
const SHOWN_REFUSALS = 3;

/** Whether a panel stands on the page of an endpoint: nothing has come through it yet, or this tab has waited for it. */
export function isAwaited(endpoint: EndpointView): boolean {
  return isWaiting(endpoint) || waitingSince(endpoint.id) !== undefined;
}

function isWaiting({ role, enabled, health }: EndpointView): boolean {
  return role === 'channel' && enabled && (health.linking !== null || health.state === 'waiting_first');
}

function hasCome({ role, health }: EndpointView, first: LedgerEvent | undefined): boolean {
  return role === 'channel' ? first?.ticketId != null : health.lastOutAt !== null;
}

/** From the credentials to the first message: what is done, what is still to do, and what goes wrong, live. */
export function Waiting({ endpoint, close }: { readonly endpoint: EndpointView; readonly close: () => void }) {
  const t = useConnectTexts();
  const { id, role } = endpoint;
  const [since] = useState(() => waitingSince(id) ?? startWaiting(id));
  const first = useFirst(endpoint);
  const isHere = hasCome(endpoint, first);
  useLooks(isHere ? 'rarely' : 'often');
  const here = role === 'channel' ? t.waiting.arrived : t.waiting.ready;
  return (
    <section class="awaited" aria-labelledby="awaited" data-state={isHere ? 'here' : 'waiting'}>
      <header>
        <h2 id="awaited">
          <span role="status">{isHere ? here : t.waiting.title[role]}</span>
        </h2>
        <button
          onClick={() => {
            stopWaiting(id);
            close();
          }}
        >
          {t.waiting.finish}
        </button>
      </header>
      <ol class="steps">
        <Before endpoint={endpoint} isHere={isHere} />
        <First endpoint={endpoint} since={since} first={first} isHere={isHere} />
      </ol>
    </section>
  );
}

/** Nothing tells of a refused request: somebody who waits looks more often. */
function useLooks(how: 'often' | 'rarely'): void {
  const { endpoints } = useParts();
  useEffect(() => {
    if (how === 'rarely') return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void endpoints.refresh();
    }, LOOK_MS);
    return () => {
      clearInterval(timer);
    };
  }, [how]);
}

/** What has to be right before anything comes, or goes. */
function Before({ endpoint, isHere }: { readonly endpoint: EndpointView; readonly isHere: boolean }) {
  const t = useConnectTexts();
  const { id, role, testable, health } = endpoint;
  return (
    <>
      {testable && isConnected(id) && <Credentials endpoint={endpoint} />}
      {health.linking && <Linking linking={health.linking} />}
      {role === 'destination' ? (
        <Leading endpoint={endpoint} />
      ) : (
        <Step look={isHere ? 'ok' : 'idle'} title={t.waiting.way}>
          <Way endpoint={endpoint} />
        </Step>
      )}
    </>
  );
}

type Look = 'ok' | 'idle' | 'act';

function Step(given: { readonly look: Look; readonly title: string; readonly children: ComponentChildren }) {
  const { look, title, children } = given;
  const t = useConnectTexts();
  const said = { ok: t.waiting.done, idle: t.waiting.open, act: t.waiting.bad }[look];
  return (
    <li class="step" data-look={look}>
      <b class="state" data-look={look}>
        {title} <span class="spoken">({said})</span>
      </b>
      <div>{children}</div>
    </li>
  );
}

/** Tried by itself once: whoever has just typed them wants to know. */
function Credentials({ endpoint: { id, role, health } }: { readonly endpoint: EndpointView }) {
  const { api, route, session, endpoints } = useParts();
  const { t: all } = useTexts();
  const t = useConnectTexts();
  const [trial, setTrial] = useState<Trial | undefined>();
  const [phase, setPhase] = useState<'busy' | 'idle'>('idle');
  const isAllowed = may(session, 'endpoints:write');
  const tryOut = async () => {
    setPhase('busy');
    setTrial(
      await api.tryOut(role, id).catch((error: unknown) => ({ ok: false, text: problemText(error, all), hint: null })),
    );
    setPhase('idle');
    void endpoints.refresh();
  };
  useEffect(() => {
    // While a person has to scan a code there is nothing to try.
    if (isAllowed && health.linking === null) void tryOut();
  }, [health.linking === null]);
  return (
    <Step look={trial ? (trial.ok ? 'ok' : 'act') : 'idle'} title={t.waiting.credentials}>
      <p role="status" dir="auto">
        {phase === 'busy' ? t.waiting.trying : trial && [trial.text, trial.hint].filter(Boolean).join(' ')}
      </p>
      {trial && !trial.ok && (
        <p class="choices">
          <a {...route.link({ id, task: 'change' })}>{t.waiting.correct}</a>
          <button disabled={phase === 'busy'} onClick={() => void tryOut()}>
            {t.waiting.tryAgain}
          </button>
        </p>
      )}
    </Step>
  );
}

/** How what customers send gets here: copied, registered for one, or fetched. */
function Way({ endpoint }: { readonly endpoint: EndpointView }) {
  const t = useConnectTexts();
  const { webhookUrl, registers } = endpoint;
  if (webhookUrl === null) return <p>{t.waiting.fetched}</p>;
  const isPushed = registers || addressesOf(endpoint).some(({ kind }) => kind === 'webhook');
  return (
    <>
      {registers ? <p>{t.waiting.registered}</p> : <AddressRows endpoint={endpoint} />}
      {isPushed && isOfThisMachine(webhookUrl) && <p class="hint">{t.waiting.local}</p>}
    </>
  );
}

function Linking({ linking: { text, qr } }: { readonly linking: NonNullable<EndpointView['health']['linking']> }) {
  const t = useConnectTexts();
  const rows = qr === null ? undefined : qrOf(qr);
  return (
    <Step look="idle" title={t.waiting.link}>
      <p dir="auto">{text}</p>
      {rows && (
        <>
          <svg
            class="qr"
            role="img"
            aria-label={t.waiting.code}
            viewBox={`-4 -4 ${rows.length + 8} ${rows.length + 8}`}
          >
            <path d={pathOf(rows)} />
          </svg>
          <p class="hint">{t.waiting.codeHint}</p>
        </>
      )}
    </Step>
  );
}

/** A destination hears only of what routes send there. */
function Leading({ endpoint: { id } }: { readonly endpoint: EndpointView }) {
  const { api, endpoints, route } = useParts();
  const { t: all } = useTexts();
  const t = useConnectTexts();
  const { readAt } = useCell(endpoints.state);
  const { value } = useReading(() => api.routes(), 'routes', `${readAt}`);
  if (!value) return null;
  const leads = value.some(({ to }) => to.includes(id));
  return (
    <Step look={leads ? 'ok' : 'act'} title={t.waiting.toRoutes}>
      {!leads && (
        <p>
          {t.waiting.routesHint} <a {...route.link(topOf('routes'))}>{all.sections.routes}</a>
        </p>
      )}
    </Step>
  );
}

function First(given: {
  readonly endpoint: EndpointView;
  readonly since: number;
  readonly first: LedgerEvent | undefined;
  readonly isHere: boolean;
}) {
  const { endpoint, since, first, isHere } = given;
  const { route } = useParts();
  const { t: all } = useTexts();
  const t = useConnectTexts();
  return (
    <Step look={isHere ? 'ok' : 'idle'} title={t.waiting.first[endpoint.role]}>
      {!isHere && (
        <p>
          {t.waiting.elapsed} <Elapsed since={since} />. {endpoint.role === 'channel' && t.waiting.firstHint}
        </p>
      )}
      {first?.ticketId != null && (
        <p>
          <a class="button" {...route.link({ section: 'inbox', id: first.ticketId })}>
            {t.waiting.toTicket}
          </a>
        </p>
      )}
      {first && first.ticketId === null && (
        <p dir="auto">
          {t.waiting.came} {all.endpoints.outcomes[first.outcome]}
          {first.reason !== null && ` · ${first.reason}`}
        </p>
      )}
      {!isHere && <RefusedSince endpoint={endpoint} since={since} />}
    </Step>
  );
}

function Elapsed({ since }: { readonly since: number }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => {
      clearInterval(timer);
    };
  }, []);
  return (
    <span class="elapsed" role="timer">
      {clockOf(now - since)}
    </span>
  );
}

/** What was turned away meanwhile, and why: most of what goes wrong is seen here. */
function RefusedSince({ endpoint: { id, role }, since }: { readonly endpoint: EndpointView; readonly since: number }) {
  const { api, endpoints } = useParts();
  const { language } = useTexts();
  const t = useConnectTexts();
  const { readAt } = useCell(endpoints.state);
  const { value } = useReading(() => api.refused(role, id), id, `${readAt}`);
  const refused = (value?.data ?? []).filter(({ at }) => Date.parse(at) >= since);
  if (refused.length === 0) return null;
  return (
    <div class="turned" role="status">
      <p class="bad">{t.waiting.refused(refused.length)}</p>
      <ul>
        {refused.slice(0, SHOWN_REFUSALS).map(({ at, status, reason }, index) => (
          <li key={`${at} ${index}`} dir="auto">
            <time dateTime={at}>{hourOf(new Date(at), language)}</time> <b>{status}</b> {reason}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** What came in first: what made a ticket, or else the last that made none. */
function useFirst({ id, role, health }: EndpointView): LedgerEvent | undefined {
  const { api, endpoints } = useParts();
  const { readAt } = useCell(endpoints.state);
  const isAny = role === 'channel' && health.lastInAt !== null;
  const read = async () =>
    isAny ? (await api.events({ endpoint: id, outcome: undefined, cursor: undefined })).data : [];
  const { value = [] } = useReading(read, id, `${readAt} ${health.lastInAt ?? ''}`);
  return value.findLast(({ ticketId }) => ticketId !== null) ?? value[0];
}
