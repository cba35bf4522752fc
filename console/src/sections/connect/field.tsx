import { useContext, useState } from 'preact/hooks';
import {
  ChoiceControl,
  ChoicesControl,
  Hints,
  LinesControl,
  ProblemsContext,
  SecretControl,
  SecretInput,
  SwitchControl,
  TextControl,
  useConnectTexts,
  useProblems,
  Wrong,
} from './controls.tsx';
import type { Control } from './controls.tsx';
import { asGroup, asList, asText, asVariant, below, enteredIn } from './entered.ts';
import type { Entered, EnteredGroup } from './entered.ts';
import type { Field } from './fields.ts';

interface Given {
  readonly fields: readonly Field[];
  readonly value: EnteredGroup;
  readonly change: (next: EnteredGroup) => void;
  /** Pointer of the group. */
  readonly at: string;
}

/** The settings of a group: those that count first, the others folded away. */
export function Fields({ fields, value, change, at }: Given) {
  const t = useConnectTexts();
  const problems = useContext(ProblemsContext);
  const [opened, setOpened] = useState<boolean | undefined>();
  const folded = fields.filter(({ isAdvanced }) => isAdvanced);
  const isTold = ({ name }: Field) => {
    const here = below(at, name);
    return value[name] !== undefined || problems.some(({ pointer }) => isWithin(pointer, here));
  };
  // What was entered, and what is wrong, is not hidden.
  const isOpen = opened ?? folded.some(isTold);
  const isWrong = folded.some(({ name }) => problems.some(({ pointer }) => isWithin(pointer, below(at, name))));
  const draw = (field: Field) => (
    <OneField
      key={field.name}
      field={field}
      value={value[field.name]}
      change={(next) => change({ ...value, [field.name]: next })}
      at={below(at, field.name)}
    />
  );
  return (
    <>
      {fields.filter(({ isAdvanced }) => !isAdvanced).map(draw)}
      {folded.length > 0 && (
        <details
          class="more-settings"
          open={isOpen || isWrong}
          onToggle={(event) => setOpened(event.currentTarget.open)}
        >
          <summary>{t.more(folded.length)}</summary>
          {folded.map(draw)}
        </details>
      )}
    </>
  );
}

function isWithin(pointer: string, at: string): boolean {
  return pointer === at || pointer.startsWith(`${at}/`);
}

function OneField(given: Omit<Control, 'shape'>) {
  const { shape } = given.field;
  switch (shape.kind) {
    case 'text':
    case 'number':
      return <TextControl {...given} shape={shape} />;
    case 'secret':
      return <SecretControl {...given} shape={shape} />;
    case 'switch':
      return <SwitchControl {...given} shape={shape} />;
    case 'choice':
      return <ChoiceControl {...given} shape={shape} />;
    case 'choices':
      return <ChoicesControl {...given} shape={shape} />;
    case 'texts':
    case 'json':
      return <LinesControl {...given} shape={shape} />;
    default:
      return <Compound {...given} />;
  }
}

function Compound(given: Omit<Control, 'shape'>) {
  const { shape } = given.field;
  switch (shape.kind) {
    case 'group':
      return <GroupControl {...given} shape={shape} />;
    case 'variant':
      return <VariantControl {...given} shape={shape} />;
    case 'list':
      return <ListControl {...given} shape={shape} />;
    case 'pairs':
      return <PairsControl {...given} shape={shape} />;
    default:
      return null;
  }
}

/** One that may be left out has a switch of its own. */
function GroupControl({ field, shape, value, change, at }: Control<'group'>) {
  const wrong = useProblems(at, 'apart');
  const inside = <Fields fields={shape.fields} value={asGroup(value)} change={change} at={at} />;
  if (shape.presence === 'always') {
    return (
      <fieldset class="part">
        <legend>{field.label}</legend>
        <Hints at={at} hints={[field.hint].filter(Boolean)} />
        <Wrong at={at} wrong={wrong} />
        {inside}
      </fieldset>
    );
  }
  const isThere = value !== undefined;
  return (
    <div class="field" role="group" aria-label={field.label}>
      <label class="check">
        <input
          id={at}
          type="checkbox"
          checked={isThere}
          aria-describedby={field.hint === '' ? undefined : `${at}?`}
          aria-invalid={wrong.length > 0 ? 'true' : undefined}
          onChange={(event) => change(event.currentTarget.checked ? {} : undefined)}
        />
        {field.label}
      </label>
      <Hints at={at} hints={[field.hint].filter(Boolean)} />
      <Wrong at={at} wrong={wrong} />
      {isThere && <div class="part">{inside}</div>}
    </div>
  );
}

function VariantControl({ field, shape, value, change, at }: Control<'variant'>) {
  const t = useConnectTexts();
  const wrong = useProblems(at, 'apart');
  const entered = asVariant(value);
  const chosen = shape.variants.find(({ name }) => name === entered?.chosen);
  return (
    <div class="field" role="group" aria-label={field.label}>
      <label for={at}>
        {field.label} {field.isRequired && <small>{t.required}</small>}
      </label>
      <select
        id={at}
        value={entered?.chosen ?? ''}
        aria-describedby={field.hint === '' ? undefined : `${at}?`}
        aria-invalid={wrong.length > 0 ? 'true' : undefined}
        onChange={({ currentTarget: { value: name } }) => change(name === '' ? undefined : { chosen: name, of: {} })}
      >
        <option value="">{field.isRequired ? t.choose : '–'}</option>
        {shape.variants.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <Hints at={at} hints={[field.hint].filter(Boolean)} />
      <Wrong at={at} wrong={wrong} />
      {entered && chosen && chosen.fields.length > 0 && (
        <div class="part">
          <Fields
            key={chosen.name}
            fields={chosen.fields}
            value={entered.of}
            change={(of) => change({ chosen: chosen.name, of })}
            at={at}
          />
        </div>
      )}
    </div>
  );
}

function ListControl({ field, shape, value, change, at }: Control<'list'>) {
  const t = useConnectTexts();
  const wrong = useProblems(at, 'apart');
  const all = asList(value ?? enteredIn(shape, field.fallback));
  const put = (index: number, next: Entered) => change(all.map((one, place) => (place === index ? next : one)));
  return (
    <fieldset class="part" id={at} tabIndex={-1}>
      <legend>{field.label}</legend>
      <Hints at={at} hints={[field.hint].filter(Boolean)} />
      <Wrong at={at} wrong={wrong} />
      {all.map((one, index) => {
        const what = t.entry(field.label, index + 1);
        return (
          <div key={index} class="entry" role="group" aria-label={what}>
            <Fields
              fields={shape.fields}
              value={asGroup(one)}
              change={(next) => put(index, next)}
              at={below(at, index)}
            />
            <button
              type="button"
              aria-label={t.takeAwayOf(what)}
              onClick={() => change(all.filter((_, place) => place !== index))}
            >
              {t.takeAway}
            </button>
          </div>
        );
      })}
      <button type="button" aria-label={t.addTo(field.label)} onClick={() => change([...all, {}])}>
        {t.add}
      </button>
    </fieldset>
  );
}

function PairsControl({ field, shape, value, change, at }: Control<'pairs'>) {
  const t = useConnectTexts();
  const wrong = useProblems(at, 'too');
  const all = asList(value).map((one) => asGroup(one));
  const put = (index: number, next: EnteredGroup) =>
    change(all.map((one, place) => (place === index ? { ...one, ...next } : one)));
  return (
    <fieldset class="part" id={at} tabIndex={-1}>
      <legend>{field.label}</legend>
      <Hints at={at} hints={[field.hint].filter(Boolean)} />
      <Wrong at={at} wrong={wrong} />
      {all.map(({ name, value: one }, index) => {
        const what = t.entry(field.label, index + 1);
        return (
          <div key={index} class="pair" role="group" aria-label={what}>
            <input
              type="text"
              autocomplete="off"
              spellcheck={false}
              aria-label={t.pairName}
              placeholder={t.pairName}
              value={asText(name)}
              onInput={(event) => put(index, { name: event.currentTarget.value })}
            />
            {shape.of === 'secret' ? (
              <SecretInput
                aria={{ 'aria-label': t.pairValue }}
                value={one}
                change={(next) => put(index, { value: next })}
              />
            ) : (
              <input
                type="text"
                autocomplete="off"
                aria-label={t.pairValue}
                placeholder={t.pairValue}
                value={asText(one)}
                onInput={(event) => put(index, { value: event.currentTarget.value })}
              />
            )}
            <button
              type="button"
              aria-label={t.takeAwayOf(what)}
              onClick={() => change(all.filter((_, place) => place !== index))}
            >
              {t.takeAway}
            </button>
          </div>
        );
      })}
      <button type="button" aria-label={t.addTo(field.label)} onClick={() => change([...all, { name: '', value: '' }])}>
        {t.add}
      </button>
    </fieldset>
  );
}
