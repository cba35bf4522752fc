import type { Problem } from '../../core/errors.ts';
import { markup } from '../../core/markup.ts';
import type { Markup } from '../../core/markup.ts';
import { longestOf } from './config.ts';
import type { Field, FormConfig } from './config.ts';
import { labelOf, megabytesOf } from './texts.ts';
import type { Texts } from './texts.ts';

interface Filled {
  readonly config: FormConfig;
  readonly values: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

// A prefix each, so that no name of a field is the id of something else.
export const fieldId = (name: string) => `f-${name}`;
const hintId = (name: string) => `h-${name}`;
const errorId = (name: string) => `e-${name}`;
const CHOICE_ID = 'choice';

/** The fields in their order; those of which one is enough stand together, below the sentence that says so. */
export function fieldsMarkup(form: Filled, texts: Texts): Markup[] {
  const choice = form.config.fields.filter((field) => field.required === 'either');
  return form.config.fields.map((field) => {
    if (field.required !== 'either') return fieldMarkup(field, form, texts);
    return field === choice[0] ? choiceMarkup(choice, form, texts) : markup``;
  });
}

function choiceMarkup(fields: readonly Field[], form: Filled, texts: Texts): Markup {
  const text = texts.either(fields.map((field) => labelOf(field, texts)));
  // Where none was filled in, the sentence itself is the error, said once and tied to the field it was found at.
  const missed = fields.find((field) => problemOf(field, form)?.message === text);
  const id = missed ? errorId(missed.name) : CHOICE_ID;
  return markup`<fieldset aria-labelledby="${id}">
<p class="${missed ? 'error' : 'hint'}" id="${id}">${text}</p>
<div class="${fields.length === 2 ? 'pair' : 'column'}">${fields.map((field) => fieldMarkup(field, form, texts, text))}</div>
</fieldset>`;
}

/** `said`: what stands above the field already. */
function fieldMarkup(field: Field, form: Filled, texts: Texts, said?: string): Markup {
  const problem = problemOf(field, form);
  const label = markup`<label for="${fieldId(field.name)}">${labelOf(field, texts)}${
    field.required === false ? markup` <span class="optional">${texts.optional}</span>` : undefined
  }</label>`;
  const error =
    problem && problem.message !== said
      ? markup`<p class="error" id="${errorId(field.name)}">${problem.message}</p>`
      : undefined;
  const control = controlMarkup(field, form, attributesOf(field, problem), texts);
  if (field.type === 'checkbox') {
    return markup`<div class="field">${error}<div class="check">${control}${label}</div></div>`;
  }
  const hint = field.type === 'file' ? filesHint(field, form.config, texts) : undefined;
  return markup`<div class="field">${label}${hint}${error}${control}</div>`;
}

function problemOf(field: Field, form: Filled): Problem | undefined {
  return form.problems.find((problem) => problem.pointer === `/${field.name}`);
}

function filesHint(field: Field, config: FormConfig, texts: Texts): Markup {
  const text = texts.filesHint(config.maxFiles, megabytesOf(config.maxFileBytes));
  return markup`<p class="hint" id="${hintId(field.name)}">${text}</p>`;
}

function attributesOf(field: Field, problem: Problem | undefined): Markup {
  const described = [
    ...(field.type === 'file' ? [hintId(field.name)] : []),
    ...(problem ? [errorId(field.name)] : []),
  ].join(' ');
  return markup`id="${fieldId(field.name)}" name="${field.name}"${
    field.required === true ? markup` required` : undefined
  }${described ? markup` aria-describedby="${described}"` : undefined}${
    problem ? markup` aria-invalid="true"` : undefined
  }`;
}

function controlMarkup(field: Field, form: Filled, attributes: Markup, texts: Texts): Markup {
  const value = form.values.get(field.name) ?? '';
  switch (field.type) {
    case 'textarea':
      return markup`<textarea ${attributes} rows="6" maxlength="${longestOf(form.config, field.name)}">${value}</textarea>`;
    case 'select':
      return markup`<select ${attributes}><option value="">${texts.choose}</option>${(field.options ?? []).map(
        (option) => markup`<option${option === value ? markup` selected` : undefined}>${option}</option>`,
      )}</select>`;
    case 'checkbox':
      return markup`<input ${attributes} type="checkbox" value="yes"${value ? markup` checked` : undefined}>`;
    case 'file':
      return markup`<input ${attributes} type="file"${form.config.maxFiles > 1 ? markup` multiple` : undefined}>`;
    case 'text':
    case 'email':
    case 'phone':
      return lineMarkup(field, value, longestOf(form.config, field.name), attributes);
  }
}

/** Both the type of the input and what browsers may fill in by themselves. */
const KNOWN: Readonly<Record<string, string>> = { email: 'email', phone: 'tel' };

function lineMarkup(field: Field, value: string, most: number, attributes: Markup): Markup {
  const known = field.name === 'name' ? 'name' : KNOWN[field.type];
  return markup`<input ${attributes} type="${KNOWN[field.type] ?? 'text'}" value="${value}" maxlength="${most}"${
    known ? markup` autocomplete="${known}"` : undefined
  }>`;
}
