import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiFailure } from '../../api.ts';
import { useCell } from '../../cell.ts';
import { problemText } from '../../failure.ts';
import { useParts } from '../../parts.ts';
import type { FieldProblem } from '../../views.ts';
import { routeCalls } from './calls.ts';
import { Conditions } from './conditions.tsx';
import { Ticks } from './controls.tsx';
import { enteredOf, partOf, ruleOf } from './decide.ts';
import type { Condition, Entered, Problems } from './decide.ts';
import { useRouteTexts } from './use-texts.ts';
import type { Rule } from './views.ts';
import './route-form.css';

/** A route as a form; the gateway looks at it before it is taken into the list. */
export function EditDialog(given: {
  readonly title: string;
  readonly rule: Rule;
  readonly done: (rule: Rule) => void;
  readonly close: () => void;
}) {
  const { title, rule, done, close } = given;
  const { endpoints } = useParts();
  const { destination } = useCell(endpoints.state);
  const { t, r } = useRouteTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  const [entered, setEntered] = useState(() => enteredOf(rule, ownZone()));
  const [phase, setPhase] = useState<'idle' | 'asking'>('idle');
  const [problems, setProblems] = useState<Problems>({});
  const [problem, setProblem] = useState<string | undefined>();
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  const write = (change: Partial<Entered>) => setEntered((before) => ({ ...before, ...change }));

  const refuse = (found: readonly FieldProblem[], text: string) => {
    const parts = found.flatMap((one) => {
      const part = partOf(one);
      return part ? [[part, one.message] as const] : [];
    });
    setProblems(Object.fromEntries(parts));
    setProblem(parts.length > 0 ? parts.map(([part, message]) => `${nameOf(part)}: ${message}`).join(' ') : text);
  };
  const nameOf = (part: Condition | 'to') => (part === 'to' ? r.goesTo : r.conditions[part]);
  const submit = async () => {
    const wanted = ruleOf(entered);
    if (wanted.to.length === 0) return refuse([{ pointer: '/routes/0/to', message: r.needsOne }], r.needsOne);
    setPhase('asking');
    try {
      await routeCalls.dryRun([wanted], 1);
      done(wanted);
      dialog.current?.close();
    } catch (error) {
      refuse(error instanceof ApiFailure ? error.problems : [], problemText(error, t));
      setPhase('idle');
    }
  };
  return (
    <dialog ref={dialog} class="route-form" aria-labelledby="route-form" onClose={close}>
      <h2 id="route-form">{title}</h2>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (phase === 'idle') void submit();
        }}
      >
        <section aria-labelledby="route-when">
          <h3 id="route-when">{r.whenTitle}</h3>
          <p class="hint">{r.whenHint}</p>
          <Conditions entered={entered} write={write} problems={problems} />
        </section>
        <section aria-labelledby="route-to">
          <h3 id="route-to">{r.goesTo}</h3>
          {destination.length === 0 && <p class="none">{r.noDestinations}</p>}
          <Ticks
            legend={r.goesTo}
            known={destination.map(({ id, name }) => [id, name] as const)}
            ticked={entered.to}
            problem={problems.to}
            tick={(to) => write({ to })}
          />
          <label class="tick">
            <input
              type="checkbox"
              checked={entered.stop}
              onChange={(event) => write({ stop: event.currentTarget.checked })}
            />
            {r.stopLabel}
          </label>
        </section>
        <p role="alert" class="problem" dir="auto">
          {problem}
        </p>
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            {r.cancel}
          </button>
          <button class="button" disabled={phase === 'asking'}>
            {r.done}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** Of whoever sits here: what he most likely means. */
function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
