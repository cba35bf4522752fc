import { useState } from 'preact/hooks';
import { problemText } from '../../failure.ts';
import { useFocus } from '../../focus.ts';
import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import type { Customer } from '../../views.ts';
import { Block } from '../sheet.tsx';
import { customerCalls } from './calls.ts';
import { titleOf } from './decide.ts';
import type { Suggestion } from './views.ts';
import { Kind, kindWords, useWords } from './words.tsx';

/** Somebody who was just told apart: it can be taken back where it was said. */
interface Told {
  readonly mergeId: string;
  readonly name: string;
}

/** Who could be the same person, and what says so. Nothing happens by itself. */
export function Suggestions(given: {
  readonly customer: Customer;
  readonly suggestions: readonly Suggestion[];
  readonly mayChange: boolean;
  readonly merge: (other: Customer, reason: string) => void;
  readonly refresh: () => void;
}) {
  const { customer, suggestions, mayChange, merge, refresh } = given;
  const { t, c } = useWords();
  const [told, setTold] = useState<Told | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const focus = useFocus();
  if (suggestions.length === 0 && !told) return null;
  /** Does it, and sees that who works by keys is somewhere afterwards. */
  const act = async (work: () => Promise<Told | undefined>, next: string) => {
    setProblem(undefined);
    try {
      setTold(await work());
      focus(() => document.getElementById(next));
    } catch (error) {
      setProblem(problemText(error, t));
    }
    refresh();
  };
  const tellApart = (other: Customer) =>
    act(async () => {
      const { mergeId } = await customerCalls.tellApart(customer.id, other.id);
      return { mergeId, name: titleOf(other, t.unnamed) };
    }, 'take-back');
  const takeBack = ({ mergeId }: Told) =>
    act(async () => {
      await customerCalls.undo(mergeId);
      return undefined;
    }, 'sheet');
  return (
    <Block id="suggestions" title={c.couldBe} hint={c.couldBeHint}>
      {problem !== undefined && (
        <p role="alert" class="notice" data-look="act">
          {problem}
        </p>
      )}
      {told && (
        <p class="notice told">
          <span id="told" dir="auto">
            {c.toldApart(told.name)}
          </span>
          <button id="take-back" aria-describedby="told" onClick={() => void takeBack(told)}>
            {c.takeBack}
          </button>
        </p>
      )}
      <ul class="suggestions">
        {suggestions.map((suggestion) => (
          <li key={suggestion.customer.id}>
            <Suggested
              suggestion={suggestion}
              mayChange={mayChange}
              merge={merge}
              tellApart={(other) => void tellApart(other)}
            />
          </li>
        ))}
      </ul>
    </Block>
  );
}

function Suggested(given: {
  readonly suggestion: Suggestion;
  readonly mayChange: boolean;
  readonly merge: (other: Customer, reason: string) => void;
  readonly tellApart: (other: Customer) => void;
}) {
  const { suggestion, mayChange, merge, tellApart } = given;
  const { customer, shared } = suggestion;
  const { route } = useParts();
  const { t, c } = useWords();
  const name = titleOf(customer, t.unnamed);
  const reason = c.same(shared.map(({ kind, value }) => `${kindWords(kind, c)} ${value}`).join(', '));
  return (
    <>
      <a dir="auto" {...route.link({ ...topOf('customers'), id: customer.id })}>
        {name}
      </a>
      <ul class="shared">
        {shared.map(({ kind, value, trust, ownTrust }) => (
          <li key={`${kind} ${value}`}>
            <Kind kind={kind} /> <b dir="auto">{value}</b>{' '}
            <small>
              {c.there}: {c.trust[trust]} · {c.here}: {c.trust[ownTrust]}
            </small>
          </li>
        ))}
      </ul>
      {mayChange && (
        <span class="acts">
          <button aria-label={`${c.merge} ${name}`} onClick={() => merge(customer, reason.slice(0, 500))}>
            {c.merge}
          </button>
          <button aria-label={`${c.notSame}: ${name}`} onClick={() => tellApart(customer)}>
            {c.notSame}
          </button>
        </span>
      )}
    </>
  );
}
