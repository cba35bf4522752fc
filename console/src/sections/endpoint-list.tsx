import { useCell } from '../cell.ts';
import { groupOf, groups, reasonOf } from '../health.ts';
import { Icon, iconOf } from '../icons.tsx';
import { may } from '../may.ts';
import { useParts, useTexts } from '../parts.ts';
import { topOf } from '../place.ts';
import { longTime, shortTime } from '../time.ts';
import type { EndpointView, Role } from '../views.ts';
import { Ago, Missing, Sheet } from './sheet.tsx';
import { State } from './state.tsx';

/** All channels or destinations: first those that somebody has to look at. */
export function EndpointList({ role }: { readonly role: Role }) {
  const { endpoints, route, session } = useParts();
  const { t, language } = useTexts();
  const known = useCell(endpoints.state);
  const { section } = useCell(route.place);
  const all = known[role];
  if (known.readAt === 0)
    return known.failed ? <Missing text={undefined} /> : <section class="sheet" aria-busy="true" />;
  return (
    <Sheet title={t.sections[section]}>
      <p class="under">
        {may(session, 'endpoints:write') && (
          <a class="connect" {...route.link({ task: 'choose' })}>
            <Icon name="plug" /> {t.endpoints.connect[role]}
          </a>
        )}
        {role === 'destination' && <a {...route.link(topOf('routes'))}>{t.sections.routes}</a>}
      </p>
      {known.failed && (
        <p class="notice">{t.endpoints.stale(shortTime(new Date(known.readAt).toISOString(), language))}</p>
      )}
      {all.length === 0 && <p class="hint">{t.endpoints.none[role]}</p>}
      {groups.map(([group]) => {
        const members = all.filter((endpoint) => groupOf(endpoint) === group);
        if (members.length === 0) return null;
        return (
          <section key={group} class="group" aria-labelledby={group}>
            <h2 id={group}>
              {t.health.groups[group]} <span class="number">{members.length}</span>
            </h2>
            <ul class="cards">
              {members.map((endpoint) => (
                <li key={endpoint.id}>
                  <Card endpoint={endpoint} />
                </li>
              ))}
            </ul>
          </section>
        );
      })}
    </Sheet>
  );
}

function Card({ endpoint }: { readonly endpoint: EndpointView }) {
  const { route } = useParts();
  const { t, language } = useTexts();
  const { id, name, type, role, health } = endpoint;
  const reason = reasonOf(endpoint, t.health, (iso) => longTime(iso, language));
  return (
    <a class="card" data-row={id} {...route.link({ ...topOf(`${role}s`), id })}>
      <span class="name">
        <Icon name={role === 'channel' ? iconOf(type) : 'destinations'} />
        <b dir="auto">{name}</b>
        <small>{name === id ? type : `${id} · ${type}`}</small>
      </span>
      <State endpoint={endpoint} />
      <span class="reason" dir="auto">
        {reason}
      </span>
      <span class="facts">
        {role === 'channel' && (
          <span>
            {t.health.lastIn}: <Ago at={health.lastInAt} />
          </span>
        )}
        <span>
          {t.health.lastOut}: <Ago at={health.lastOutAt} />
        </span>
        {health.backlog > 0 && (
          <span>
            {t.health.waiting}: {health.backlog}
          </span>
        )}
        {health.dead > 0 && (
          <span class="bad">
            {t.health.dead}: {health.dead}
          </span>
        )}
      </span>
    </a>
  );
}
