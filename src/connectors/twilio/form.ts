import { BadPayloadError } from '../../core/errors.ts';

/** What a form says, by name: more than once is a list, as Twilio's validator wants it. */
export type Parameters = Readonly<Record<string, string | string[]>>;

/** The same with one value each, none of them empty. */
export type Fields = Readonly<Record<string, string | undefined>>;

/** More than Twilio has names for: strangers make us sort them to check a signature. */
const MAX_PARAMETERS = 1000;

/** Reads `application/x-www-form-urlencoded`; throws `BadPayloadError` when it has more than 1,000 parameters. */
export function parametersOf(body: Buffer): Parameters {
  // Without a prototype: a parameter called `__proto__` is only a parameter.
  const parameters = Object.create(null) as Record<string, string | string[]>;
  let count = 0;
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    if (++count > MAX_PARAMETERS) throw new BadPayloadError(`more than ${MAX_PARAMETERS} parameters`);
    const before = parameters[name];
    parameters[name] = before === undefined ? value : [before, value].flat();
  }
  return parameters;
}

/** Throws where a parameter has several values that differ: the signature doesn't say which of them is meant. */
export function fieldsOf(body: Buffer): Fields {
  const fields = Object.create(null) as Record<string, string>;
  for (const [name, given] of Object.entries(parametersOf(body))) {
    const [value = '', ...others] = new Set([given].flat());
    if (others.length > 0) throw new Error(`${name} is there more than once, with different values`);
    if (value !== '') fields[name] = value;
  }
  return fields;
}
