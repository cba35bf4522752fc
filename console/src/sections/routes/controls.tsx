import { useId } from 'preact/hooks';

/** Several of what is known; one that isn't known any more stays ticked until somebody takes it away. */
export function Ticks(given: {
  readonly legend: string;
  readonly known: readonly (readonly [value: string, name: string])[];
  readonly ticked: readonly string[];
  readonly hint?: string;
  readonly problem?: string | undefined;
  readonly tick: (ticked: readonly string[]) => void;
}) {
  const { legend, known, ticked, hint, problem, tick } = given;
  const id = useId();
  const gone = ticked.filter((value) => known.every(([one]) => one !== value)).map((value) => [value, value] as const);
  const all = [...known, ...gone];
  if (all.length === 0) return null;
  return (
    <fieldset {...(problem !== undefined && { 'aria-describedby': id, 'data-problem': '' })}>
      <legend>{legend}</legend>
      {hint !== undefined && <small>{hint}</small>}
      <div class="ticks">
        {all.map(([value, name]) => (
          <label key={value} class="tick" dir="auto">
            <input
              type="checkbox"
              checked={ticked.includes(value)}
              onChange={(event) =>
                tick(
                  event.currentTarget.checked
                    ? // In the order in which they stand here.
                      all.map(([one]) => one).filter((one) => one === value || ticked.includes(one))
                    : ticked.filter((one) => one !== value),
                )
              }
            />
            {name}
          </label>
        ))}
      </div>
      {problem !== undefined && (
        <p id={id} class="problem" dir="auto">
          {problem}
        </p>
      )}
    </fieldset>
  );
}

/** What may be many: one on each line. */
export function Lines(given: {
  readonly label: string;
  readonly hint?: string;
  readonly text: string;
  readonly problem?: string | undefined;
  readonly write: (text: string) => void;
}) {
  const { label, hint, text, problem, write } = given;
  const id = useId();
  return (
    <label class="written">
      <span>{label}</span>
      <textarea
        rows={Math.min(6, Math.max(2, text.split('\n').length))}
        value={text}
        aria-invalid={problem === undefined ? undefined : 'true'}
        {...((problem ?? hint) !== undefined && { 'aria-describedby': id })}
        onInput={(event) => write(event.currentTarget.value)}
      />
      {(problem ?? hint) !== undefined && (
        <small id={id} class={problem === undefined ? undefined : 'problem'}>
          {problem ?? hint}
        </small>
      )}
    </label>
  );
}

export function Line(given: {
  readonly label: string;
  readonly text: string;
  readonly list?: readonly string[];
  readonly write: (text: string) => void;
}) {
  const { label, text, list, write } = given;
  const id = useId();
  return (
    <label class="written">
      <span>{label}</span>
      <input
        type="text"
        value={text}
        autoComplete="off"
        {...(list && { list: id })}
        onInput={(event) => write(event.currentTarget.value)}
      />
      {list && (
        <datalist id={id}>
          {list.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </label>
  );
}
