import { useEffect, useRef, useState } from 'preact/hooks';
import { useCell } from '../../cell.ts';
import { Icon } from '../../icons.tsx';
import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { readPages, useReading } from '../../reading.ts';
import { longTime, shortTime } from '../../time.ts';
import type { Customer, Page } from '../../views.ts';
import { Sheet } from '../sheet.tsx';
import { customerCalls } from './calls.ts';
import { inOrder, titleOf } from './decide.ts';
import { iconOfKind, kindWords, useWords } from './words.tsx';

/** Letters that are typed one after the other are one search. */
const PAUSE_MS = 250;
/** More of what is known of somebody doesn't help to recognise him. */
const SHOWN = 4;

/** What a search has found, and how many pages of it. */
export interface Listed {
  readonly wanted: string;
  readonly pages: number;
  readonly found: Page<Customer> | undefined;
}

/** All customers, the newest first, and a search among them. */
export function CustomerList(given: { readonly kept: Listed | undefined; readonly keep: (listed: Listed) => void }) {
  const { endpoints, route } = useParts();
  const { t, c } = useWords();
  const { readAt } = useCell(endpoints.state);
  const wanted = useSettled(useCell(route.place).who);
  const kept = given.kept?.wanted === wanted ? given.kept : undefined;
  const count = kept?.pages ?? 1;
  const { value = kept?.found, failed } = useReading(
    () => readPages((cursor) => customerCalls.list(wanted, cursor), count),
    'customers',
    `${wanted} ${count} ${readAt}`,
  );
  useEffect(() => {
    if (value) given.keep({ wanted, pages: count, found: value });
  }, [value]);
  return (
    <Sheet title={t.sections.customers}>
      <Search />
      {failed !== undefined && <p class="notice">{t.empty.broken}</p>}
      {value && (
        <Found
          found={value}
          none={wanted ? t.empty.nothingFound : c.none}
          more={() => given.keep({ wanted, pages: count + 1, found: value })}
        />
      )}
    </Sheet>
  );
}

function Found(given: { readonly found: Page<Customer>; readonly none: string; readonly more: () => void }) {
  const { data, nextCursor } = given.found;
  const { t } = useWords();
  if (data.length === 0) return <p class="none">{given.none}</p>;
  return (
    <>
      <ul class="cards people">
        {data.map((customer) => (
          <li key={customer.id}>
            <Row customer={customer} />
          </li>
        ))}
      </ul>
      {nextCursor !== null && (
        <button class="more" onClick={given.more}>
          {t.more}
        </button>
      )}
    </>
  );
}

/** The text once nobody has typed for a moment. */
function useSettled(text: string): string {
  const [settled, settle] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => settle(text), PAUSE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [text]);
  return settled;
}

function Search() {
  const { route } = useParts();
  const { c } = useWords();
  const { who } = useCell(route.place);
  const box = useRef<HTMLInputElement>(null);
  // Who types is ahead of what is drawn: the address never takes letters back from him.
  useEffect(() => {
    if (box.current && box.current !== document.activeElement) box.current.value = who;
  }, [who]);
  return (
    <form class="find-people" role="search" onSubmit={(event) => event.preventDefault()}>
      <label class="search">
        <Icon name="search" />
        <input
          ref={box}
          id="search"
          type="search"
          maxLength={200}
          placeholder={c.search}
          aria-label={c.search}
          onInput={(event) => route.amend({ who: event.currentTarget.value })}
        />
      </label>
    </form>
  );
}

function Row({ customer }: { readonly customer: Customer }) {
  const { route } = useParts();
  const { t, c, language } = useWords();
  const { id, identifiers, createdAt } = customer;
  return (
    <a class="card" data-row={id} {...route.link({ ...topOf('customers'), id })}>
      <b class="name" dir="auto">
        {titleOf(customer, t.unnamed)}
      </b>
      <span class="known">
        {inOrder(identifiers)
          .slice(0, SHOWN)
          .map(({ kind, value, trust }) => (
            <span key={`${kind} ${value} ${trust}`} title={`${kindWords(kind, c)}: ${c.trust[trust]}`}>
              <Icon name={iconOfKind(kind)} /> <span dir="auto">{value}</span>
              {trust !== 'verified' && (
                <span class="doubt" role="img" aria-label={c.trust[trust]}>
                  ?
                </span>
              )}
            </span>
          ))}
        {identifiers.length > SHOWN && <span>+{identifiers.length - SHOWN}</span>}
      </span>
      <time dateTime={createdAt} title={longTime(createdAt, language)}>
        {c.since(shortTime(createdAt, language))}
      </time>
    </a>
  );
}
