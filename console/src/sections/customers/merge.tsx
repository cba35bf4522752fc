import { useState } from 'preact/hooks';
import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { useReading } from '../../reading.ts';
import { Icon } from '../../icons.tsx';
import type { Customer } from '../../views.ts';
import { Asking, Preview, ReasonBox } from './asking.tsx';
import { customerCalls } from './calls.ts';
import { inOrder, keptOf, titleOf } from './decide.ts';
import { iconOfKind, useWords } from './words.tsx';

const SHOWN = 5;

/** Merges two customers: who, in which direction, what moves, and what says that they are one. */
export function MergeDialog(given: {
  readonly customer: Customer;
  readonly other?: Customer;
  readonly reason?: string;
  readonly close: () => void;
}) {
  const { customer, close } = given;
  const { route } = useParts();
  const { t, c } = useWords();
  const [other, setOther] = useState(given.other);
  const [isTurned, turn] = useState(false);
  const [reason, setReason] = useState(given.reason ?? '');
  const usual = other && keptOf(customer, other);
  const pair = usual && isTurned ? { keep: usual.from, from: usual.keep } : usual;
  const reading = useReading(
    async () => pair && customerCalls.previewMerge(pair.from.id, pair.keep.id),
    `${pair?.from.id} ${pair?.keep.id}`,
    '',
  );
  const { value, failed } = reading;
  const merge = async () => {
    if (!pair) return;
    await customerCalls.merge(pair.from.id, pair.keep.id, reason.trim());
    route.go({ ...topOf('customers'), id: pair.keep.id });
  };
  return (
    <Asking
      title={c.mergeTitle}
      done={c.mergeTitle}
      ready={value !== undefined && reason.trim() !== ''}
      act={merge}
      close={close}
    >
      {!pair && <Choice without={customer.id} choose={setOther} />}
      {pair && (
        <>
          <div class="pair">
            <Side customer={pair.from} label={c.goes} />
            <button type="button" onClick={() => turn(!isTurned)} aria-label={c.turn} title={c.turn}>
              <span aria-hidden="true">⇄</span>
            </button>
            <Side customer={pair.keep} label={c.stays} />
          </div>
          <Preview
            reading={{ ...(value && { value }), ...(failed !== undefined && { failed }) }}
            to={titleOf(pair.keep, t.unnamed)}
          />
          <p>
            {c.result(titleOf(pair.keep, t.unnamed))} {c.reversible}
          </p>
          <ReasonBox text={reason} write={setReason} />
        </>
      )}
    </Asking>
  );
}

function Side({ customer, label }: { readonly customer: Customer; readonly label: string }) {
  const { t, c } = useWords();
  return (
    <section class="side" aria-label={label}>
      <small>{label}</small>
      <b dir="auto">{titleOf(customer, t.unnamed)}</b>
      <ul>
        {inOrder(customer.identifiers)
          .slice(0, SHOWN)
          .map(({ kind, value, trust }) => (
            <li key={`${kind} ${value} ${trust}`}>
              <Icon name={iconOfKind(kind)} /> <span dir="auto">{value}</span> <small>{c.trust[trust]}</small>
            </li>
          ))}
      </ul>
    </section>
  );
}

/** Finds the other one. */
function Choice({ without, choose }: { readonly without: string; readonly choose: (customer: Customer) => void }) {
  const { t, c } = useWords();
  const [q, setQ] = useState('');
  const { value } = useReading(
    async () => (q.trim() === '' ? undefined : customerCalls.list(q, undefined)),
    'choice',
    q,
  );
  const found = (value?.data ?? []).filter(({ id }) => id !== without).slice(0, 8);
  return (
    <>
      <label>
        <span>{c.find}</span>
        <input
          type="search"
          maxLength={200}
          value={q}
          placeholder={c.search}
          onInput={(event) => setQ(event.currentTarget.value)}
        />
      </label>
      <p role="status" class="hint">
        {value && found.length === 0 ? t.empty.nothingFound : ''}
      </p>
      <ul class="choices">
        {found.map((customer) => (
          <li key={customer.id}>
            <button type="button" onClick={() => choose(customer)}>
              <b dir="auto">{titleOf(customer, t.unnamed)}</b>{' '}
              <small>
                {inOrder(customer.identifiers)
                  .slice(0, 3)
                  .map((each) => each.value)
                  .join(' · ')}
              </small>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
