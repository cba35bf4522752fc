import { useEffect, useState } from 'preact/hooks';
import { useCell } from '../../cell.ts';
import { Icon } from '../../icons.tsx';
import { may } from '../../may.ts';
import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { useReading } from '../../reading.ts';
import { shortTime } from '../../time.ts';
import type { Customer, Ticket } from '../../views.ts';
import { Block, Missing, Sheet } from '../sheet.tsx';
import { customerCalls } from './calls.ts';
import { titleOf } from './decide.ts';
import { History } from './history.tsx';
import { Identities } from './identities.tsx';
import { MergeDialog } from './merge.tsx';
import { Person } from './person.tsx';
import { SplitDialog } from './split.tsx';
import { Suggestions } from './suggestions.tsx';
import { Timeline } from './timeline.tsx';
import { useWords } from './words.tsx';

/** Everything that is on a customer's page besides his messages. */
async function readCustomer(id: string) {
  const [customer, traces, suggestions, merges, tickets] = await Promise.all([
    customerCalls.one(id),
    customerCalls.traces(id),
    customerCalls.suggestions(id),
    customerCalls.merges(id),
    customerCalls.tickets(id),
  ]);
  return { customer, traces, suggestions, merges, tickets: tickets.data };
}

/** One customer: how he is recognised, what he has asked for, everything that was said, and who else he could be. */
export function CustomerPage({ id }: { readonly id: string }) {
  const { endpoints } = useParts();
  const { c } = useWords();
  const { readAt } = useCell(endpoints.state);
  const [round, setRound] = useState(0);
  const { value, failed } = useReading(() => readCustomer(id), id, `${readAt} ${round}`);
  if (!value) {
    if (failed === undefined) return <section class="sheet" aria-busy="true" />;
    return <Missing text={failed === 404 ? c.missing : undefined} />;
  }
  return <Shown {...value} isOld={failed !== undefined} refresh={() => setRound((before) => before + 1)} />;
}

type Dialog =
  { readonly what: 'split' } | { readonly what: 'merge'; readonly other?: Customer; readonly reason?: string };

function Shown(
  given: Awaited<ReturnType<typeof readCustomer>> & { readonly isOld: boolean; readonly refresh: () => void },
) {
  const { customer, traces, suggestions, merges, tickets, isOld, refresh } = given;
  const { session, named, offered } = useParts();
  const { t, c } = useWords();
  const [dialog, setDialog] = useState<Dialog | undefined>();
  const title = titleOf(customer, t.unnamed);
  const mayChange = may(session, 'customers:write') && customer.mergedInto === null;
  const maySplit = mayChange && customer.identifiers.length > 1;
  useEffect(() => {
    named.set(title);
    return () => {
      named.set(undefined);
    };
  }, [title]);
  useEffect(() => {
    offered.set([
      ...(mayChange ? [{ id: 'merge', title: c.mergeWith, run: () => setDialog({ what: 'merge' }) }] : []),
      ...(maySplit ? [{ id: 'split', title: c.split, run: () => setDialog({ what: 'split' }) }] : []),
    ]);
    return () => {
      offered.set([]);
    };
  }, [mayChange, maySplit, c]);
  const close = () => {
    setDialog(undefined);
    refresh();
  };
  return (
    <Sheet title={title}>
      <Head customer={customer} isOld={isOld} />
      <div class="customer">
        <div class="about-him">
          <Identities customer={customer} traces={traces}>
            {maySplit && <button onClick={() => setDialog({ what: 'split' })}>{c.split}</button>}
          </Identities>
          {customer.mergedInto === null && (
            <Suggestions
              customer={customer}
              suggestions={suggestions}
              mayChange={mayChange}
              refresh={refresh}
              merge={(other, reason) => setDialog({ what: 'merge', other, reason })}
            />
          )}
          <Tickets tickets={tickets} />
          <History customer={customer} merges={merges} refresh={refresh}>
            {mayChange && <button onClick={() => setDialog({ what: 'merge' })}>{c.mergeWith}</button>}
          </History>
        </div>
        <Timeline key={customer.updatedAt} customerId={customer.id} tickets={tickets} />
      </div>
      {dialog?.what === 'merge' && <MergeDialog customer={customer} {...dialog} close={close} />}
      {dialog?.what === 'split' && <SplitDialog customer={customer} close={close} />}
    </Sheet>
  );
}

/** Since when he is known, and whether this is still his page. */
function Head({ customer, isOld }: { readonly customer: Customer; readonly isOld: boolean }) {
  const { route, session } = useParts();
  const { t, c, language } = useWords();
  return (
    <>
      <p class="under">
        <a {...route.link(topOf('customers'))}>
          <Icon name="back" /> {t.sections.customers}
        </a>
        <span>{c.since(shortTime(customer.createdAt, language))}</span>
        {customer.locale !== null && (
          <span>
            {c.language}: {customer.locale}
          </span>
        )}
        {may(session, 'customers:export') && customer.mergedInto === null && (
          <a href={`/api/v1/customers/${encodeURIComponent(customer.id)}/export`} download={`${customer.id}.json`}>
            {c.export}
          </a>
        )}
      </p>
      {isOld && <p class="notice">{t.empty.broken}</p>}
      {customer.mergedInto !== null && (
        <p class="notice" data-look="warn">
          {c.mergedInto} <Person id={customer.mergedInto} />
        </p>
      )}
    </>
  );
}

function Tickets({ tickets }: { readonly tickets: readonly Ticket[] }) {
  const { c } = useWords();
  return (
    <Block id="tickets" title={c.tickets}>
      {tickets.length === 0 && <p class="none">{c.noTickets}</p>}
      <TicketRows tickets={tickets} />
    </Block>
  );
}

/** Tickets in short: number, subject, status, and when they moved. */
export function TicketRows({ tickets }: { readonly tickets: readonly Ticket[] }) {
  const { route } = useParts();
  const { t, language } = useWords();
  return (
    <ul class="ticket-rows">
      {tickets.map(({ id, number, subject, status, lastMessageAt, updatedAt }) => (
        <li key={id}>
          <a {...route.link({ ...topOf('inbox'), id })}>
            <span class="number">#{number}</span>
            <span class="subject" dir="auto">
              {subject || t.noSubject}
            </span>
          </a>
          <span class="status" data-status={status}>
            {t.statuses[status]}
          </span>
          <time dateTime={lastMessageAt ?? updatedAt}>{shortTime(lastMessageAt ?? updatedAt, language)}</time>
        </li>
      ))}
    </ul>
  );
}
