import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiFailure } from '../../api.ts';
import { problemText } from '../../failure.ts';
import { useTexts } from '../../parts.ts';
import type { FieldProblem } from '../../views.ts';
import { ProblemsContext, useConnectTexts } from './controls.tsx';
import { settingsOf } from './entered.ts';
import type { EnteredGroup } from './entered.ts';
import { Fields } from './field.tsx';
import type { Field } from './fields.ts';

/** A form made of fields; what is wrong with one stands at it. */
export function SettingsForm(given: {
  readonly fields: readonly Field[];
  readonly value: EnteredGroup;
  readonly change: (next: EnteredGroup) => void;
  /** Looks at what was entered before it is sent. */
  readonly check?: (body: Readonly<Record<string, unknown>>) => readonly FieldProblem[];
  readonly send: (body: Record<string, unknown>) => Promise<void>;
  readonly label: string;
  readonly mode: 'open' | 'closed';
  readonly children?: ComponentChildren;
}) {
  const { fields, value, change, check, send, label, mode, children } = given;
  const { t: all } = useTexts();
  const t = useConnectTexts();
  const form = useRef<HTMLFormElement>(null);
  const [problems, setProblems] = useState<readonly FieldProblem[]>([]);
  const [said, setSaid] = useState<string | undefined>();
  const [phase, setPhase] = useState<'idle' | 'busy'>('idle');
  // Once they are drawn, the first field at fault is where one goes on.
  useLayoutEffect(() => {
    if (problems.length > 0) form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus();
  }, [problems]);

  const refuse = (wrong: readonly FieldProblem[], text: string) => {
    setProblems(wrong);
    setSaid(text);
  };
  const submit = async () => {
    const { settings: body, faulty } = settingsOf(fields, value);
    const local = [
      ...faulty.map(({ pointer, fault }) => ({ pointer, message: t.faults[fault] })),
      ...(check?.(body) ?? []),
    ];
    if (local.length > 0) return refuse(local, t.faulty(local.length));
    setPhase('busy');
    refuse([], '');
    try {
      await send(body);
    } catch (error) {
      const told = error instanceof ApiFailure ? error.problems : [];
      refuse(told, [problemText(error, all), ...untied(told, fields)].join(' '));
    }
    setPhase('idle');
  };

  return (
    <ProblemsContext.Provider value={problems}>
      <form
        ref={form}
        class="settings"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (phase === 'idle') void submit();
        }}
      >
        <fieldset class="all" disabled={mode === 'closed'}>
          <Fields fields={fields} value={value} change={change} at="" />
        </fieldset>
        {mode === 'open' && (
          <div class="send">
            <p role="alert" class="problem" dir="auto">
              {said}
            </p>
            {children}
            <button class="button" aria-disabled={phase === 'busy'}>
              {phase === 'busy' ? t.submitting : label}
            </button>
          </div>
        )}
      </form>
    </ProblemsContext.Provider>
  );
}

/** Problems of what has no field here are told beside the button. */
function untied(problems: readonly FieldProblem[], fields: readonly Field[]): readonly string[] {
  const roots = fields.map(({ name }) => `/${name}`);
  const isTied = ({ pointer }: FieldProblem) =>
    roots.some((root) => pointer === root || pointer.startsWith(`${root}/`));
  return problems.filter((one) => !isTied(one)).map(({ pointer, message }) => `${pointer}: ${message}`);
}
