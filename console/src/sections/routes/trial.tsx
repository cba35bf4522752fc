import { useCell } from '../../cell.ts';
import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { useReading } from '../../reading.ts';
import { longTime, shortTime } from '../../time.ts';
import { problemText } from '../../failure.ts';
import { Block } from '../sheet.tsx';
import { routeCalls } from './calls.ts';
import { compared, countsOf } from './decide.ts';
import type { Tried } from './decide.ts';
import { useRouteTexts } from './use-texts.ts';
import type { Rule } from './views.ts';

/** Where the last messages would go by `rules`, beside where they go now; without `rules`, only the latter. */
export function Trial({ round, rules }: { readonly round: number; readonly rules: readonly Rule[] | undefined }) {
  const { t, r } = useRouteTexts();
  const { value } = useReading(
    async () => {
      try {
        const now = await routeCalls.dryRun(undefined);
        return compared(now, rules ? await routeCalls.dryRun(rules) : now);
      } catch (error) {
        return problemText(error, t);
      }
    },
    `${round} ${JSON.stringify(rules)}`,
    '',
  );
  const tried = typeof value === 'object' ? value : [];
  const elsewhere = tried.filter(({ differs }) => differs);
  const rest = tried.filter(({ differs }) => !differs);
  const said = () => {
    if (typeof value !== 'object') return value ?? r.trying;
    if (value.length === 0) return r.noMessages;
    return elsewhere.length === 0 ? r.same(value.length) : r.differs(elsewhere.length, value.length);
  };
  return (
    <div id="trial" tabIndex={-1}>
      <Block id="tried" title={r.trial} hint={r.trialHint}>
        <p role="status" class="found" dir="auto">
          {said()}
        </p>
        {tried.length > 0 && (
          <>
            <Counts tried={tried} />
            {elsewhere.length > 0 && (
              <>
                <h3>{r.elsewhere}</h3>
                <Messages tried={elsewhere} />
              </>
            )}
            {rest.length > 0 && (
              <details open={rules === undefined}>
                <summary>{r.asBefore(rest.length)}</summary>
                <Messages tried={rest} />
              </details>
            )}
          </>
        )}
      </Block>
    </div>
  );
}

function Counts({ tried }: { readonly tried: readonly Tried[] }) {
  const { r } = useRouteTexts();
  const nameOf = useNames();
  const counts = countsOf(tried);
  if (counts.length === 0) return null;
  return (
    <table class="counts">
      <thead>
        <tr>
          <th scope="col">{r.destination}</th>
          <th scope="col">{r.now}</th>
          <th scope="col">{r.then}</th>
        </tr>
      </thead>
      <tbody>
        {counts.map(({ id, now, then }) => (
          <tr key={id} data-differs={now === then ? undefined : ''}>
            <th scope="row" dir="auto">
              {nameOf(id)}
            </th>
            <td>{now}</td>
            <td>{then}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Messages({ tried }: { readonly tried: readonly Tried[] }) {
  const { route, endpoints } = useParts();
  const { t, r, language } = useRouteTexts();
  const { channel: channels } = useCell(endpoints.state);
  const nameOf = useNames();
  const places = (ids: readonly string[], follows: readonly string[] = []) =>
    [...ids.map(nameOf), ...follows.map((id) => r.follows(nameOf(id)))].join(' · ') || r.nowhere;
  return (
    <ul class="tried">
      {tried.map(({ message, now, then, follows, differs }) => {
        const { ticketId, ticketNumber, channel, kind, timestamp, messageId } = message;
        return (
          <li key={messageId ?? timestamp}>
            <span class="which">
              {ticketId !== undefined && ticketNumber !== undefined && (
                <a {...route.link({ ...topOf('inbox'), id: ticketId })}>{r.ticket(ticketNumber)}</a>
              )}
              <small>
                {[kind && t.kinds[kind], channels.find(({ id }) => id === channel)?.name ?? channel]
                  .filter(Boolean)
                  .join(' · ')}{' '}
                <time dateTime={timestamp} title={longTime(timestamp, language)}>
                  {shortTime(timestamp, language)}
                </time>
              </small>
            </span>
            {differs && (
              <span class="was" dir="auto">
                <small>{r.now}</small> {places(now)}
              </span>
            )}
            <span class="goes" dir="auto">
              {differs && <small>{r.then}</small>} {places(then, follows)}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** Destinations by the names that they are known by here. */
function useNames(): (id: string) => string {
  const { endpoints } = useParts();
  const { destination } = useCell(endpoints.state);
  return (id) => destination.find((one) => one.id === id)?.name ?? id;
}
