import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { addressesOf } from '../addresses.ts';
import { useCell } from '../cell.ts';
import { endpointIn } from '../endpoints.ts';
import { problemText } from '../failure.ts';
import { lookOf, reasonOf } from '../health.ts';
import { Icon, iconOf } from '../icons.tsx';
import { may } from '../may.ts';
import { useParts, useTexts } from '../parts.ts';
import { topOf } from '../place.ts';
import { longTime, shortTime } from '../time.ts';
import type { EndpointView, Role } from '../views.ts';
import { AddressRows } from './address-rows.tsx';
import { isAwaited, Waiting } from './connect/waiting.tsx';
import { Ago, Block, Missing, Sheet } from './sheet.tsx';
import { State } from './state.tsx';

/** One channel or destination: how it is and why, where it is reached, and what belongs to its kind. */
export function EndpointPage(given: {
  readonly role: Role;
  readonly id: string;
  readonly children: (endpoint: EndpointView) => ComponentChildren;
}) {
  const { role, id, children } = given;
  const { endpoints, route } = useParts();
  const { t, language } = useTexts();
  const { section } = useCell(route.place);
  const known = useCell(endpoints.state);
  const endpoint = endpointIn(known, role, id);
  if (!endpoint) {
    if (known.readAt === 0 && !known.failed) return <section class="sheet" aria-busy="true" />;
    return <Missing text={known.readAt === 0 ? undefined : t.endpoints.missing[role]} />;
  }
  const { name, type, source } = endpoint;
  const icon = role === 'channel' ? iconOf(type) : 'destinations';
  return (
    <Sheet
      title={
        <>
          <Icon name={icon} /> {name}
        </>
      }
    >
      <p class="under">
        <a {...route.link(topOf(section))}>
          <Icon name="back" /> {t.sections[section]}
        </a>
        <State endpoint={endpoint} />
        <span>{name === id ? type : `${id} · ${type}`}</span>
        <span>{source === null ? t.endpoints.overApi : t.endpoints.source(source)}</span>
        <a {...route.link({ id, task: 'change' })}>{t.endpoints.settings}</a>
      </p>
      {known.failed && (
        <p class="notice">{t.endpoints.stale(shortTime(new Date(known.readAt).toISOString(), language))}</p>
      )}
      <How endpoint={endpoint} />
      {children(endpoint)}
    </Sheet>
  );
}

/** How it is; before anything has come through it, what is still to be done. */
function How({ endpoint }: { readonly endpoint: EndpointView }) {
  const [panel, setPanel] = useState<'asked' | 'closed'>('asked');
  const { role, registers, health } = endpoint;
  const isShown = panel === 'asked' && isAwaited(endpoint);
  const isTold = isShown && (health.linking !== null || health.state === 'waiting_first');
  return (
    <>
      {!isTold && <Reason endpoint={endpoint} />}
      {isShown && <Waiting endpoint={endpoint} close={() => setPanel('closed')} />}
      <Actions endpoint={endpoint} />
      {!isShown && <Facts endpoint={endpoint} />}
      {(!isShown || registers || role === 'destination') && <Addresses endpoint={endpoint} />}
    </>
  );
}

function Reason({ endpoint }: { readonly endpoint: EndpointView }) {
  const { t, language } = useTexts();
  const reason = reasonOf(endpoint, t.health, (iso) => longTime(iso, language));
  if (reason === undefined) return null;
  return (
    <p class="notice" data-look={lookOf(endpoint)} dir="auto">
      {reason}
    </p>
  );
}

/** What can be done about it, here and in the palette; only for those who may. */
function Actions({ endpoint }: { readonly endpoint: EndpointView }) {
  const { api, session, endpoints, offered } = useParts();
  const { t } = useTexts();
  const [phase, setPhase] = useState<'idle' | 'busy'>('idle');
  const [said, setSaid] = useState<{ readonly text: string; readonly look: 'ok' | 'act' } | undefined>();
  const { id, role, name, enabled, testable, health } = endpoint;
  const mayAct = may(session, 'endpoints:write');

  const act = async (work: () => Promise<typeof said>) => {
    setPhase('busy');
    setSaid(undefined);
    setSaid(await work().catch((error: unknown) => ({ text: problemText(error, t), look: 'act' as const })));
    setPhase('idle');
    void endpoints.refresh();
  };
  const tryOut = () =>
    act(async () => {
      const { ok, text, hint } = await api.tryOut(role, id);
      return { text: [text, hint].filter(Boolean).join(' '), look: ok ? 'ok' : 'act' };
    });
  const resume = () =>
    act(async () => {
      await api.resume(role, id);
      return undefined;
    });
  const isHeld = enabled && (health.state === 'paused' || health.state === 'needs_reauth');
  const possible = [
    ...(mayAct && testable ? [{ id: 'try', title: t.endpoints.tryOut, run: () => void tryOut() }] : []),
    ...(mayAct && isHeld ? [{ id: 'resume', title: t.endpoints.resume, run: () => void resume() }] : []),
  ];
  useEffect(() => {
    offered.set(possible.map((command) => ({ ...command, title: `${name}: ${command.title}` })));
    return () => {
      offered.set([]);
    };
  }, [possible.map(({ title }) => title).join(), name]);

  if (possible.length === 0) return null;
  return (
    <div class="actions">
      {possible.map((command) => (
        <button key={command.id} disabled={phase === 'busy'} onClick={() => command.run()}>
          {command.title}
        </button>
      ))}
      <p role="status" class="said" data-look={said?.look} dir="auto">
        {phase === 'busy' ? t.endpoints.trying : said?.text}
      </p>
    </div>
  );
}

function Facts({ endpoint: { role, health } }: { readonly endpoint: EndpointView }) {
  const { t, language } = useTexts();
  const { lagMs, lastError, lastErrorAt } = health;
  const oldestAt = lagMs === null ? null : new Date(Date.now() - lagMs).toISOString();
  const facts: readonly (readonly [string, ComponentChildren])[] = [
    ...(role === 'channel' || health.lastInAt !== null
      ? [[t.health.lastIn, <Ago at={health.lastInAt} />] as const]
      : []),
    [t.health.lastOut, <Ago at={health.lastOutAt} />],
    [t.health.waiting, health.backlog],
    ...(oldestAt === null ? [] : [[t.health.oldest, <Ago at={oldestAt} />] as const]),
    [t.health.dead, health.dead],
    [t.health.failed, health.failures],
    ...(health.quarantinedAt === null ? [] : [[t.health.quarantined, <Ago at={health.quarantinedAt} />] as const]),
    ...(health.reconciledAt === null ? [] : [[t.health.reconciled, <Ago at={health.reconciledAt} />] as const]),
    ...(health.missed === 0 ? [] : [[t.health.missed, health.missed] as const]),
  ];
  return (
    <Block id="health" title={t.endpoints.health}>
      <dl class="facts">
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd data-zero={value === 0 ? '' : undefined}>{value}</dd>
          </div>
        ))}
      </dl>
      {lastError !== null && lastErrorAt !== null && (
        <div class="error">
          <b>{t.health.lastError}</b> <time dateTime={lastErrorAt}>{longTime(lastErrorAt, language)}</time>
          <p dir="auto">{lastError}</p>
        </div>
      )}
    </Block>
  );
}

function Addresses({ endpoint }: { readonly endpoint: EndpointView }) {
  const { t } = useTexts();
  if (addressesOf(endpoint).length === 0) return null;
  return (
    <Block id="addresses" title={t.endpoints.addresses}>
      <AddressRows endpoint={endpoint} />
    </Block>
  );
}
