import { useState } from 'preact/hooks';
import { useReading } from '../../reading.ts';
import type { Customer } from '../../views.ts';
import { Asking, Preview, ReasonBox } from './asking.tsx';
import { customerCalls } from './calls.ts';
import { inOrder } from './decide.ts';
import type { Ref } from './views.ts';
import { Kind, useWords } from './words.tsx';

const keyOf = ({ kind, value }: Ref) => `${kind} ${value}`;

/** Gives some of a customer's identities to a new one, after showing which messages leave with them. */
export function SplitDialog({ customer, close }: { readonly customer: Customer; readonly close: () => void }) {
  const { c } = useWords();
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  const [reason, setReason] = useState('');
  // Somebody can be vouched for by what he also typed: that leaves as one.
  const own = inOrder(customer.identifiers).filter(
    (one, index, all) => all.findIndex((each) => keyOf(each) === keyOf(one)) === index,
  );
  const chosen = own.filter((one) => ticked.has(keyOf(one))).map(({ kind, value }) => ({ kind, value }));
  const isPart = chosen.length > 0 && chosen.length < own.length;
  const { value, failed } = useReading(
    async () => (isPart ? customerCalls.previewSplit(customer.id, chosen) : undefined),
    JSON.stringify(chosen),
    '',
  );
  const tick = (key: string, isOn: boolean) => {
    const next = new Set(ticked);
    if (isOn) next.add(key);
    else next.delete(key);
    setTicked(next);
  };
  return (
    <Asking
      title={c.splitTitle}
      done={c.splitOff}
      ready={isPart && value !== undefined && reason.trim() !== ''}
      act={async () => {
        await customerCalls.split(customer.id, chosen, reason.trim());
      }}
      close={close}
    >
      <fieldset>
        <legend>{c.splitHint}</legend>
        {own.map((identity) => (
          <label key={keyOf(identity)}>
            <input
              type="checkbox"
              checked={ticked.has(keyOf(identity))}
              onChange={(event) => tick(keyOf(identity), event.currentTarget.checked)}
            />
            <Kind kind={identity.kind} />
            <b dir="auto">{identity.value}</b>
            <small>{c.trust[identity.trust]}</small>
          </label>
        ))}
      </fieldset>
      {chosen.length === own.length && <p class="hint">{c.leaveOne}</p>}
      {isPart && <Preview reading={{ ...(value && { value }), ...(failed !== undefined && { failed }) }} />}
      <ReasonBox text={reason} write={setReason} />
    </Asking>
  );
}
