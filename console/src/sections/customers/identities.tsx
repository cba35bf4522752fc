import type { ComponentChildren } from 'preact';
import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { longTime, shortTime } from '../../time.ts';
import type { Customer } from '../../views.ts';
import { Block } from '../sheet.tsx';
import { inOrder, traceOf } from './decide.ts';
import type { Identity, Trace } from './views.ts';
import { Kind, TrustMark, useWords } from './words.tsx';

/** By what a customer is recognised, how sure that is, and where it was seen. */
export function Identities(given: {
  readonly customer: Customer;
  readonly traces: readonly Trace[];
  readonly children: ComponentChildren;
}) {
  const { customer, traces, children } = given;
  const { c } = useWords();
  return (
    <Block id="identities" title={c.identities} tools={children}>
      {customer.identifiers.length === 0 && <p class="none">{c.noIdentities}</p>}
      <ul class="identities">
        {inOrder(customer.identifiers).map((identity) => (
          <li key={`${identity.kind} ${identity.value} ${identity.trust}`}>
            <One identity={identity} trace={traceOf(traces, identity)} />
          </li>
        ))}
      </ul>
    </Block>
  );
}

function One({ identity, trace }: { readonly identity: Identity; readonly trace: Trace | undefined }) {
  const { route } = useParts();
  const { c, language } = useWords();
  const { kind, value, trust, firstSeenAt } = identity;
  return (
    <>
      <Kind kind={kind} />
      <b class="value" dir="auto">
        {value}
      </b>
      <TrustMark trust={trust} />
      <small class="proof">
        {c.trustWhy[trust]}{' '}
        <time dateTime={firstSeenAt} title={longTime(firstSeenAt, language)}>
          {c.known(shortTime(firstSeenAt, language))}
        </time>
        {' · '}
        {trace ? c.seen(trace.messages, trace.channels.slice(0, 3).join(', ')) : c.notSeen}
        {trace && trace.last.ticketId !== null && (
          <>
            {', '}
            <a {...route.link({ ...topOf('inbox'), id: trace.last.ticketId })}>
              {c.last} {shortTime(trace.last.at, language)}
            </a>
          </>
        )}
      </small>
    </>
  );
}
