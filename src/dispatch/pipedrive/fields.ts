import { mapFields } from '../../core/field-mapping.ts';
import type { Carried } from '../../core/field-mapping.ts';
import { STANDARD } from './config.ts';
import type { Config } from './config.ts';
import type { Field } from './shapes.ts';

/**
 * What `fields` says, in the type that each field wants: version 2 takes no text for a number, and options by their
 * number. What a field can't hold is left out, rather than the conversation.
 * https://pipedrive.readme.io/docs/pipedrive-api-v2-migration-guide
 */
export function toValues(config: Config, carried: Carried, known: readonly Field[]) {
  const standard: Record<string, string | number> = {};
  const custom: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(mapFields(config.fields, carried))) {
    if (Object.hasOwn(STANDARD, name)) {
      const fitting = STANDARD[name] === 'number' ? numberIn(value) : textIn(value);
      if (fitting !== undefined) standard[name] = fitting;
    } else {
      const field = known.find(({ field_code: code }) => code === name);
      const fitting = valueIn(field, value);
      if (fitting !== undefined) custom[name] = fitting;
    }
  }
  return { standard, custom };
}

/** Whether there is anything for which the fields have to be known. */
export function hasCustom({ fields }: Pick<Config, 'fields'>): boolean {
  return Object.keys(fields).some((name) => !Object.hasOwn(STANDARD, name));
}

function valueIn(field: Field | undefined, value: string | string[]): unknown {
  switch (field?.field_type) {
    case 'double':
    case 'int':
      return numberIn(value);
    case 'enum':
      return optionsIn(field, value)[0];
    case 'set': {
      const options = optionsIn(field, value);
      return options.length > 0 ? options : undefined;
    }
    default:
      return textIn(value);
  }
}

function optionsIn({ options }: Field, value: string | string[]): (string | number)[] {
  return [value].flat().flatMap((text) => {
    const option = options?.find(({ id, label }) => label.toLowerCase() === text.toLowerCase() || String(id) === text);
    return option ? [option.id] : [];
  });
}

function textIn(value: string | string[]): string {
  return [value].flat().join(', ');
}

function numberIn(value: string | string[]): number | undefined {
  const text = textIn(value).trim();
  return /^-?\d{1,15}(\.\d{1,10})?$/.test(text) ? Number(text) : undefined;
}
