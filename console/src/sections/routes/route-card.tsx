import { useCell } from '../../cell.ts';
import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { askedOf } from './decide.ts';
import { dayName } from './days.ts';
import { useRouteTexts } from './use-texts.ts';
import type { Rule, Time } from './views.ts';

/** What can be done with one that is made here. */
export interface OwnActs {
  readonly key: string;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly move: (by: 1 | -1) => void;
  readonly edit: () => void;
  readonly remove: () => void;
}

/** One route: what it asks, and where what fits goes. */
export function RouteCard(given: {
  readonly number: number;
  readonly rule: Rule;
  readonly source?: string | null;
  readonly own?: OwnActs;
}) {
  const { number, rule, source, own } = given;
  const { t, r } = useRouteTexts();
  return (
    <li class="rule" aria-label={r.route(number)}>
      <span class="place" aria-hidden="true">
        {number}
      </span>
      <Asked rule={rule} />
      <Leads rule={rule} />
      {source != null && <small class="source">{t.endpoints.source(source)}</small>}
      {own && <Acts number={number} own={own} />}
    </li>
  );
}

function Asked({ rule: { when } }: { readonly rule: Rule }) {
  const { endpoints } = useParts();
  const { t, r, language } = useRouteTexts();
  const { channel } = useCell(endpoints.state);
  const time = ({ zone, days, from, to }: Time) => {
    const hours = from === undefined && to === undefined ? '' : r.between(from ?? '00:00', to ?? '24:00');
    const on = days?.map((day) => dayName(day, language)).join(', ') ?? r.everyDay;
    return [on, hours, `(${zone})`].filter(Boolean).join(' ');
  };
  const asked = askedOf(when, {
    channels: channel,
    titleOf: (condition, value) =>
      (condition === 'kind' ? (t.kinds as Record<string, string>) : (t.priorities as Record<string, string>))[value] ??
      value,
    time,
  });
  if (asked.length === 0) return <p class="asked">{r.always}</p>;
  return (
    <dl class="asked">
      {asked.map(({ condition, what, values }) => (
        <div key={`${condition} ${what ?? ''}`}>
          <dt>
            {r.conditions[condition]}
            {what !== undefined && (
              <>
                {' '}
                <span dir="auto">{what}</span>
              </>
            )}
          </dt>
          <dd dir="auto">{values.join(' · ')}</dd>
        </div>
      ))}
    </dl>
  );
}

function Leads({ rule: { to, stop } }: { readonly rule: Rule }) {
  const { endpoints, route } = useParts();
  const { r } = useRouteTexts();
  const { destination } = useCell(endpoints.state);
  return (
    <div class="leads">
      <ul aria-label={r.goesTo}>
        {to.map((id) => (
          <li key={id}>
            <span aria-hidden="true">→ </span>
            <a dir="auto" {...route.link({ ...topOf('destinations'), id })}>
              {destination.find((one) => one.id === id)?.name ?? id}
            </a>
          </li>
        ))}
      </ul>
      {stop && <small>{r.stops}</small>}
    </div>
  );
}

function Acts({ number, own }: { readonly number: number; readonly own: OwnActs }) {
  const { r } = useRouteTexts();
  const { key, isFirst, isLast, move, edit, remove } = own;
  const called = (what: string) => `${what}: ${r.route(number)}`;
  return (
    <span class="acts">
      <button
        id={`up-${key}`}
        aria-label={called(r.up)}
        title={r.up}
        disabled={isFirst}
        onClick={() => {
          move(-1);
        }}
      >
        <span aria-hidden="true">↑</span>
      </button>
      <button
        id={`down-${key}`}
        aria-label={called(r.down)}
        title={r.down}
        disabled={isLast}
        onClick={() => {
          move(1);
        }}
      >
        <span aria-hidden="true">↓</span>
      </button>
      <button id={`change-${key}`} aria-label={called(r.change)} onClick={edit}>
        {r.change}
      </button>
      <button aria-label={called(r.remove)} onClick={remove}>
        {r.remove}
      </button>
    </span>
  );
}
