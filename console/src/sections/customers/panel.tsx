import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { BesideGiven } from '../../beside.tsx';
import { useCell } from '../../cell.ts';
import { may } from '../../may.ts';
import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { useReading } from '../../reading.ts';
import { customerCalls } from './calls.ts';
import { TicketRows } from './customer-page.tsx';
import { becameOf, inOrder, titleOf } from './decide.ts';
import type { Became } from './decide.ts';
import { Kind, TrustMark, useWords } from './words.tsx';
import './panel.css';
import './who.css';

/** From here on there is room beside the ticket; as in ticket.css. */
const WIDE = '(min-width: 75rem)';
/** More of his tickets are on his page. */
const SHOWN = 8;

/** Beside a ticket, or below its heading: who the customer is, his other tickets, and what this one became elsewhere. */
export function Panel({ ticket, customer }: BesideGiven) {
  const { route } = useParts();
  const { t, c } = useWords();
  const isWide = useMedia(WIDE);
  const name = ticket.customer.name ?? (customer ? titleOf(customer, t.unnamed) : t.unnamed);
  const content = (
    <>
      <h2>
        <a dir="auto" {...route.link({ ...topOf('customers'), id: ticket.customer.id })}>
          {name}
        </a>
      </h2>
      <ul class="identities">
        {inOrder(customer?.identifiers ?? []).map(({ kind, value, trust }) => (
          <li key={`${kind} ${value} ${trust}`}>
            <Kind kind={kind} />
            <b class="value" dir="auto">
              {value}
            </b>
            <TrustMark trust={trust} />
          </li>
        ))}
      </ul>
      <Elsewhere ticket={ticket} />
      <Others ticket={ticket} />
      <Fields ticket={ticket} />
    </>
  );
  if (isWide) {
    return (
      <aside class="beside" aria-label={c.about}>
        {content}
      </aside>
    );
  }
  return (
    <details class="beside">
      <summary>{c.about}</summary>
      {content}
    </details>
  );
}

function useMedia(query: string): boolean {
  const [fits, setFits] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const look = () => setFits(media.matches);
    look();
    media.addEventListener('change', look);
    return () => {
      media.removeEventListener('change', look);
    };
  }, [query]);
  return fits;
}

function Part({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <section>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** What the ticket became in help desks, and whether what is said here gets there. */
function Elsewhere({ ticket }: Pick<BesideGiven, 'ticket'>) {
  const { endpoints, session } = useParts();
  const { c } = useWords();
  const { destination, readAt } = useCell(endpoints.state);
  const mayRead = may(session, 'deliveries:read');
  const { value } = useReading(
    async () => (mayRead ? (await customerCalls.deliveries(ticket.id)).data : []),
    ticket.id,
    `${readAt} ${ticket.version}`,
  );
  const all = becameOf(ticket, value ?? [], destination);
  if (all.length === 0) return null;
  return (
    <Part title={c.became}>
      <ul class="became">
        {all.map((one) => (
          <li key={one.destination}>
            <One became={one} />
          </li>
        ))}
      </ul>
    </Part>
  );
}

const looks = { delivered: 'ok', waiting: 'idle', delivering: 'idle', dead: 'act', needs_check: 'warn' } as const;

function One({ became: { destination, name, link, delivery } }: { readonly became: Became }) {
  const { route } = useParts();
  const { t, c } = useWords();
  const number = link && <span class="number">#{link.externalId}</span>;
  const state = delivery?.state;
  const look = state && (
    <span class="state" data-look={looks[state]}>
      {t.delivery.states[state]}
    </span>
  );
  return (
    <>
      <b dir="auto">{name}</b>{' '}
      {link?.url && isPlain(link.url) ? (
        <a href={link.url} target="_blank" rel="noopener noreferrer" aria-label={`#${link.externalId}, ${c.opens}`}>
          {number} <span aria-hidden="true">↗</span>
        </a>
      ) : (
        number
      )}
      {delivery && state !== 'delivered' ? (
        <a {...route.link({ ...topOf('destinations'), id: destination, delivery: delivery.id })}>{look}</a>
      ) : (
        look
      )}
      {delivery && delivery.error !== null && state !== 'delivered' && <small dir="auto">{delivery.error}</small>}
    </>
  );
}

/** Addresses come from a help desk: only those of the web become links. */
function isPlain(address: string): boolean {
  return URL.canParse(address) && ['http:', 'https:'].includes(new URL(address).protocol);
}

function Others({ ticket }: Pick<BesideGiven, 'ticket'>) {
  const { endpoints, route } = useParts();
  const { t, c } = useWords();
  const { readAt } = useCell(endpoints.state);
  const { id } = ticket.customer;
  const { value } = useReading(() => customerCalls.tickets(id), id, `${readAt} ${ticket.version}`);
  const others = (value?.data ?? []).filter((one) => one.id !== ticket.id);
  if (others.length === 0) return null;
  return (
    <Part title={c.otherTickets}>
      <TicketRows tickets={others.slice(0, SHOWN)} />
      {others.length > SHOWN && <a {...route.link({ ...topOf('customers'), id })}>{t.more}</a>}
    </Part>
  );
}

function Fields({ ticket: { fields, tags } }: Pick<BesideGiven, 'ticket'>) {
  const { c } = useWords();
  const pairs = Object.entries(fields);
  return (
    <>
      {pairs.length > 0 && (
        <Part title={c.fields}>
          <dl>
            {pairs.map(([name, value]) => (
              <div key={name}>
                <dt dir="auto">{name}</dt>
                <dd dir="auto">{value}</dd>
              </div>
            ))}
          </dl>
        </Part>
      )}
      {tags.length > 0 && (
        <Part title={c.tags}>
          <ul class="tags">
            {tags.map((tag) => (
              <li key={tag} dir="auto">
                {tag}
              </li>
            ))}
          </ul>
        </Part>
      )}
    </>
  );
}
