/** As much of SOQL as is needed to see what a question of ours really asks. */

export type Row = Readonly<Record<string, unknown>>;
export interface Asked {
  readonly fields: readonly string[];
  readonly object: string;
  readonly matches: (valueOf: (field: string) => unknown) => boolean;
  readonly order: readonly string[];
  readonly limit: number;
}

type Test = Asked['matches'];

/** Throws for what isn't SOQL. https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm */
export function readSoql(soql: string): Asked {
  const tokens = tokensOf(soql);
  let at = 0;
  const peek = () => tokens[at];
  const next = (wanted?: string) => {
    const token = tokens[at++];
    if (token === undefined || (wanted !== undefined && token !== wanted))
      throw new Error(`MALFORMED_QUERY at ${token}`);
    return token;
  };
  const list = () => {
    const names = [next()];
    while (peek() === ',') {
      next();
      names.push(next());
    }
    return names;
  };

  function either(): Test {
    const tests = [all()];
    while (peek() === 'OR') {
      next();
      tests.push(all());
    }
    return (valueOf) => tests.some((test) => test(valueOf));
  }
  function all(): Test {
    const tests = [one()];
    while (peek() === 'AND') {
      next();
      tests.push(one());
    }
    return (valueOf) => tests.every((test) => test(valueOf));
  }
  function one(): Test {
    if (peek() === '(') {
      next();
      const test = either();
      next(')');
      return test;
    }
    const [field, operator, literal] = [next(), next(), valueIn(next())];
    return (valueOf) => compare(valueOf(field), operator, literal);
  }

  next('SELECT');
  const fields = list();
  next('FROM');
  const object = next();
  let matches: Test = () => true;
  if (peek() === 'WHERE') {
    next();
    matches = either();
  }
  let order: string[] = [];
  if (peek() === 'ORDER') {
    next();
    next('BY');
    order = list();
  }
  let limit = 2000;
  if (peek() === 'LIMIT') {
    next();
    limit = Number(next());
  }
  if (at < tokens.length) throw new Error(`MALFORMED_QUERY at ${tokens[at]}`);
  return { fields, object, matches, order, limit };
}

function tokensOf(soql: string): string[] {
  const tokens: readonly string[] = soql.match(/'(?:[^'\\]|\\[nrtbf"'\\])*'|[<>!]?=|[<>(),]|[^\s<>=!(),']+|\S/g) ?? [];
  if (tokens.includes("'") || tokens.includes('\\')) throw new Error('MALFORMED_QUERY: a quote that does not end');
  return [...tokens];
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function valueIn(token: string): string | number | null {
  if (token === 'null') return null;
  if (token.startsWith("'")) {
    return token.slice(1, -1).replaceAll(/\\(.)/g, (_all, letter: string) => ESCAPES[letter] ?? letter);
  }
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(token)) return Date.parse(token);
  throw new Error(`MALFORMED_QUERY: ${token}`);
}

function compare(given: unknown, operator: string, literal: string | number | null): boolean {
  const value = given as string | number | null | undefined;
  if (operator === '!=') return (value ?? null) !== literal;
  if (value === null || value === undefined) return operator === '=' && literal === null;
  const is = typeof literal === 'number' ? Date.parse(String(value).replace('+0000', 'Z')) : String(value);
  // As Salesforce does it, whatever the case of letters; ids are told apart by it.
  const same =
    typeof is === 'string' && String(literal).includes('@')
      ? is.toLowerCase() === String(literal).toLowerCase()
      : is === literal;
  if (operator === '=') return same;
  if (operator === '>=') return is >= (literal as typeof is);
  if (operator === '>') return is > (literal as typeof is);
  throw new Error(`MALFORMED_QUERY: ${operator}`);
}
