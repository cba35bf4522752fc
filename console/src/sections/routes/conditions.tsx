import { useCell } from '../../cell.ts';
import { useFocus } from '../../focus.ts';
import { useParts } from '../../parts.ts';
import { priorities } from '../../place.ts';
import type { Message } from '../../views.ts';
import { Line, Lines, Ticks } from './controls.tsx';
import { dayName } from './days.ts';
import { days } from './decide.ts';
import type { Entered, Problems } from './decide.ts';
import { useRouteTexts } from './use-texts.ts';

interface Given {
  readonly entered: Entered;
  readonly write: (change: Partial<Entered>) => void;
  readonly problems: Problems;
}

const kinds = ['message', 'form', 'review', 'call', 'note'] as const satisfies readonly Message['kind'][];

/** What a route asks. What is left empty is no condition. */
export function Conditions(given: Given) {
  const { entered, write, problems } = given;
  const { endpoints } = useParts();
  const { t, r } = useRouteTexts();
  const { channel } = useCell(endpoints.state);
  const types = [...new Set(channel.map(({ type }) => type))].toSorted();
  return (
    <>
      <Ticks
        legend={r.conditions.channel}
        known={channel.map(({ id, name }) => [id, name] as const)}
        ticked={entered.channel}
        problem={problems.channel}
        tick={(ticked) => write({ channel: ticked })}
      />
      <Ticks
        legend={r.conditions.channelType}
        known={types.map((type) => [type, type] as const)}
        ticked={entered.channelType}
        problem={problems.channelType}
        tick={(ticked) => write({ channelType: ticked })}
      />
      <Ticks
        legend={r.conditions.kind}
        known={kinds.map((kind) => [kind, t.kinds[kind]] as const)}
        ticked={entered.kind}
        problem={problems.kind}
        tick={(ticked) => write({ kind: ticked })}
      />
      <Ticks
        legend={r.conditions.priority}
        known={priorities.map((priority) => [priority, t.priorities[priority]] as const)}
        ticked={entered.priority}
        problem={problems.priority}
        tick={(ticked) => write({ priority: ticked })}
      />
      <div class="three">
        <Lines
          label={r.conditions.language}
          hint={r.languageHint}
          text={entered.language}
          problem={problems.language}
          write={(language) => write({ language })}
        />
        <Lines
          label={r.conditions.tag}
          hint={r.lines}
          text={entered.tag}
          problem={problems.tag}
          write={(tag) => write({ tag })}
        />
        <Lines
          label={r.conditions.customer}
          hint={r.customerHint}
          text={entered.customer}
          problem={problems.customer}
          write={(customer) => write({ customer })}
        />
      </div>
      <Fields {...given} />
      <Times {...given} />
    </>
  );
}

/** Fields of a form or a ticket, each with the values that fit. */
function Fields({ entered: { fields }, write, problems }: Given) {
  const { r } = useRouteTexts();
  const focus = useFocus();
  const put = (index: number, change: Partial<(typeof fields)[number]>) =>
    write({ fields: fields.map((field, at) => (at === index ? { ...field, ...change } : field)) });
  const add = () => {
    write({ fields: [...fields, { name: '', values: '' }] });
    focus(() => document.querySelector<HTMLElement>('.route-form .field-of:last-of-type input'));
  };
  const remove = (index: number) => {
    write({ fields: fields.filter((_field, at) => at !== index) });
    focus(() => document.getElementById('add-field'));
  };
  return (
    <fieldset {...(problems.field !== undefined && { 'data-problem': '' })}>
      <legend>{r.conditions.field}</legend>
      {fields.map(({ name, values }, index) => (
        <div key={index} class="field-of">
          <Line label={r.fieldName} text={name} write={(next) => put(index, { name: next })} />
          <Lines label={r.fieldValues} text={values} write={(next) => put(index, { values: next })} />
          <button type="button" aria-label={r.removeField(name)} onClick={() => remove(index)}>
            {r.remove}
          </button>
        </div>
      ))}
      {problems.field !== undefined && <p class="problem">{problems.field}</p>}
      <button type="button" id="add-field" onClick={add}>
        {r.addField}
      </button>
    </fieldset>
  );
}

function Times({ entered, write, problems }: Given) {
  const { r, language } = useRouteTexts();
  const { time, zone, from, until } = entered;
  return (
    <fieldset {...(problems.time !== undefined && { 'data-problem': '' })}>
      <legend>{r.conditions.time}</legend>
      <label class="tick">
        <input
          type="checkbox"
          checked={time === 'sometimes'}
          onChange={(event) => write({ time: event.currentTarget.checked ? 'sometimes' : 'always' })}
        />
        {r.sometimes}
      </label>
      {time === 'sometimes' && (
        <>
          <Ticks
            legend={r.days}
            hint={r.daysHint}
            known={days.map((day) => [day, dayName(day, language)] as const)}
            ticked={entered.days}
            tick={(ticked) => write({ days: ticked })}
          />
          <div class="three">
            <Line label={r.from} text={from} write={(next) => write({ from: next })} />
            <Line label={r.until} text={until} write={(next) => write({ until: next })} />
            <Line label={r.zone} text={zone} list={zones()} write={(next) => write({ zone: next })} />
          </div>
          <small>{r.untilHint}</small>
        </>
      )}
      {problems.time !== undefined && <p class="problem">{problems.time}</p>}
    </fieldset>
  );
}

function zones(): readonly string[] {
  return Intl.supportedValuesOf('timeZone');
}
