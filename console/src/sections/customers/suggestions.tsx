import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import type { Customer } from '../../views.ts';
import { Block } from '../sheet.tsx';
import { titleOf } from './decide.ts';
import type { Suggestion } from './views.ts';
import { Kind, kindWords, useWords } from './words.tsx';

/** Who could be the same person, and what says so. Nothing happens by itself. */
export function Suggestions(given: {
  readonly suggestions: readonly Suggestion[];
  readonly mayMerge: boolean;
  readonly merge: (other: Customer, reason: string) => void;
}) {
  const { suggestions, mayMerge, merge } = given;
  const { route } = useParts();
  const { t, c } = useWords();
  if (suggestions.length === 0) return null;
  const reasonOf = ({ shared }: Suggestion) =>
    c.same(shared.map(({ kind, value }) => `${kindWords(kind, c)} ${value}`).join(', '));
  return (
    <Block id="suggestions" title={c.couldBe} hint={c.couldBeHint}>
      <ul class="suggestions">
        {suggestions.map((suggestion) => (
          <li key={suggestion.customer.id}>
            <a dir="auto" {...route.link({ ...topOf('customers'), id: suggestion.customer.id })}>
              {titleOf(suggestion.customer, t.unnamed)}
            </a>
            {mayMerge && (
              <button
                aria-label={`${c.merge} ${titleOf(suggestion.customer, t.unnamed)}`}
                onClick={() => merge(suggestion.customer, reasonOf(suggestion).slice(0, 500))}
              >
                {c.merge}
              </button>
            )}
            <ul class="shared">
              {suggestion.shared.map(({ kind, value, trust, ownTrust }) => (
                <li key={`${kind} ${value}`}>
                  <Kind kind={kind} /> <b dir="auto">{value}</b>{' '}
                  <small>
                    {c.there}: {c.trust[trust]} · {c.here}: {c.trust[ownTrust]}
                  </small>
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </Block>
  );
}
