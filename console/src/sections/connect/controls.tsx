import { createContext } from 'preact';
import type { ComponentChildren } from 'preact';
import { useContext } from 'preact/hooks';
import { useTexts } from '../../parts.ts';
import { asList, asText, isMask } from './entered.ts';
import type { Entered } from './entered.ts';
import type { Field, Shape } from './fields.ts';
import type { FieldProblem } from '../../views.ts';
import { connectTexts } from './texts.ts';
import type { ConnectTexts } from './texts.ts';

/** What is wrong with which field, for every control of a form. */
export const ProblemsContext = createContext<readonly FieldProblem[]>([]);

/** One setting of a form. */
export interface Control<K extends Shape['kind'] = Shape['kind']> {
  readonly field: Field;
  readonly shape: Extract<Shape, { readonly kind: K }>;
  readonly value: Entered;
  readonly change: (next: Entered) => void;
  /** RFC 6901; also the id of its control. */
  readonly at: string;
}

export function useConnectTexts(): ConnectTexts {
  return connectTexts(useTexts().language);
}

/** Problems of a field, with those of what is inside where that has no controls of its own. */
export function useProblems(at: string, inside: 'too' | 'apart'): readonly string[] {
  return useContext(ProblemsContext)
    .filter(({ pointer }) => pointer === at || (inside === 'too' && pointer.startsWith(`${at}/`)))
    .map(({ message }) => message);
}

/** A label, what is entered, a hint, and what is wrong with it. */
function Labelled(given: {
  readonly field: Field;
  readonly at: string;
  readonly notes?: readonly string[];
  readonly children: (aria: ReturnType<typeof ariaOf>) => ComponentChildren;
}) {
  const { field, at, notes = [], children } = given;
  const t = useConnectTexts();
  const wrong = useProblems(at, 'too');
  const hints = [field.hint, ...notes].filter(Boolean);
  return (
    <div class="field">
      <label for={at}>
        {field.label} {field.isRequired && <small>{t.required}</small>}
      </label>
      {children(ariaOf(at, field, { hints: hints.length, wrong: wrong.length }))}
      <Hints at={at} hints={hints} />
      <Wrong at={at} wrong={wrong} />
    </div>
  );
}

export function Hints({ at, hints }: { readonly at: string; readonly hints: readonly string[] }) {
  if (hints.length === 0) return null;
  return (
    <p class="hint" id={`${at}?`} dir="auto">
      {hints.join('. ')}
    </p>
  );
}

export function Wrong({ at, wrong }: { readonly at: string; readonly wrong: readonly string[] }) {
  if (wrong.length === 0) return null;
  return (
    <p class="problem" id={`${at}!`} dir="auto">
      {wrong.join(' · ')}
    </p>
  );
}

/** What ties a control to its hint and to what is wrong with it. */
function ariaOf(at: string, field: Field, counts: { readonly hints: number; readonly wrong: number }) {
  const describedBy = [counts.hints > 0 && `${at}?`, counts.wrong > 0 && `${at}!`].filter(Boolean).join(' ');
  return {
    id: at,
    'aria-describedby': describedBy || undefined,
    'aria-invalid': counts.wrong > 0 ? ('true' as const) : undefined,
    'aria-required': field.isRequired ? ('true' as const) : undefined,
  };
}

const plain = { autocomplete: 'off', autocapitalize: 'off', spellcheck: false, dir: 'auto' } as const;

/** What holds when a setting is left out, as it is shown. */
function shownOf(fallback: unknown): string {
  return typeof fallback === 'string' || typeof fallback === 'number' || typeof fallback === 'boolean'
    ? `${fallback}`
    : '';
}

export function TextControl({ field, shape, value, change, at }: Control<'text' | 'number'>) {
  const fallback = shownOf(field.fallback);
  const put = (text: string) => change(text === '' ? undefined : text);
  const isLong = shape.kind === 'text' && (shape.lines === 'many' || fallback.includes('\n'));
  return (
    <Labelled field={field} at={at}>
      {(aria) =>
        isLong ? (
          <textarea
            {...{ ...plain, ...aria, rows: 3, placeholder: fallback, value: asText(value) }}
            onInput={(event) => put(event.currentTarget.value)}
          />
        ) : (
          <input
            {...{ ...plain, ...aria, type: 'text', placeholder: fallback, value: asText(value) }}
            inputMode={shape.kind === 'number' ? 'decimal' : undefined}
            onInput={(event) => put(event.currentTarget.value)}
          />
        )
      }
    </Labelled>
  );
}

/** Write-only: what is there already is shown as a mask, and stays unless something else is typed. */
export function SecretControl({ field, value, change, at }: Control<'secret'>) {
  const t = useConnectTexts();
  const mask = isMask(value) ? value : undefined;
  return (
    <Labelled field={field} at={at} notes={mask === undefined ? [] : [t.kept(mask)]}>
      {(aria) => (
        <div class="with">
          <SecretInput aria={aria} value={value} change={change} />
          {mask !== undefined && !field.isRequired && (
            <button type="button" aria-label={t.takeAwayOf(field.label)} onClick={() => change(undefined)}>
              {t.takeAway}
            </button>
          )}
        </div>
      )}
    </Labelled>
  );
}

export function SecretInput(given: {
  readonly aria: object;
  readonly value: Entered;
  readonly change: (next: Entered) => void;
}) {
  const { aria, value, change } = given;
  const mask = isMask(value) ? value : undefined;
  return (
    <input
      {...aria}
      type="password"
      autocomplete="new-password"
      spellcheck={false}
      placeholder={mask}
      value={mask === undefined ? asText(value) : ''}
      onInput={(event) => change(event.currentTarget.value)}
      onPaste={(event) => {
        // A key in PEM has lines, which a field of one line would lose.
        const text = event.clipboardData?.getData('text') ?? '';
        if (!text.trim().includes('\n')) return;
        event.preventDefault();
        change(text);
      }}
    />
  );
}

export function SwitchControl({ field, value, change, at }: Control<'switch'>) {
  const wrong = useProblems(at, 'too');
  const hints = [field.hint].filter(Boolean);
  return (
    <div class="field">
      <label class="check">
        <input
          {...ariaOf(at, field, { hints: hints.length, wrong: wrong.length })}
          type="checkbox"
          checked={typeof value === 'boolean' ? value : field.fallback === true}
          onChange={(event) => change(event.currentTarget.checked)}
        />
        {field.label}
      </label>
      <Hints at={at} hints={hints} />
      <Wrong at={at} wrong={wrong} />
    </div>
  );
}

export function ChoiceControl({ field, shape, value, change, at }: Control<'choice'>) {
  const t = useConnectTexts();
  const none = field.fallback === undefined ? t.choose : t.fallback(shownOf(field.fallback));
  return (
    <Labelled field={field} at={at}>
      {(aria) => (
        <select
          {...aria}
          value={asText(value)}
          onChange={(event) => change(event.currentTarget.value === '' ? undefined : event.currentTarget.value)}
        >
          <option value="">{field.isRequired || field.fallback !== undefined ? none : '–'}</option>
          {shape.options.map((option) => (
            <option key={String(option)} value={String(option)}>
              {String(option)}
            </option>
          ))}
        </select>
      )}
    </Labelled>
  );
}

export function ChoicesControl({ field, shape, value, change, at }: Control<'choices'>) {
  const wrong = useProblems(at, 'too');
  const chosen = asList(value ?? (field.fallback as Entered));
  const toggle = (option: string) => {
    const next = chosen.includes(option) ? chosen.filter((one) => one !== option) : [...chosen, option];
    change(next);
  };
  return (
    <fieldset class="part" id={at} tabIndex={-1} aria-describedby={field.hint === '' ? undefined : `${at}?`}>
      <legend>{field.label}</legend>
      <Hints at={at} hints={[field.hint].filter(Boolean)} />
      <div class="checks">
        {shape.options.map((option) => (
          <label key={option} class="check">
            <input type="checkbox" checked={chosen.includes(option)} onChange={() => toggle(option)} />
            {option}
          </label>
        ))}
      </div>
      <Wrong at={at} wrong={wrong} />
    </fieldset>
  );
}

export function LinesControl({ field, shape, value, change, at }: Control<'texts' | 'json'>) {
  const t = useConnectTexts();
  const { fallback } = field;
  const usual = Array.isArray(fallback) && shape.kind === 'texts' ? fallback.join('\n') : '';
  const note = shape.kind === 'texts' ? t.perLine : shape.words === 'taken' ? '' : t.asJson;
  return (
    <Labelled field={field} at={at} notes={[note]}>
      {(aria) => (
        <textarea
          {...{ ...plain, ...aria, rows: shape.kind === 'texts' ? 2 : 3, placeholder: usual, value: asText(value) }}
          class={shape.kind === 'json' ? 'code' : undefined}
          onInput={(event) => change(event.currentTarget.value)}
        />
      )}
    </Labelled>
  );
}
