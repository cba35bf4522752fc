import { BadPayloadError } from '../../core/errors.ts';

export interface Nested {
  readonly [name: string]: string | Nested | undefined;
}

/** More than a call with a hundred legs has. */
const MAX_PARAMETERS = 2000;
const MAX_DEPTH = 8;

/**
 * A form as PHP writes it: `callDetails[employeeData][name]=…` is a name within a name. Throws `BadPayloadError` for one
 * that is larger or deeper than any of Binotel's.
 */
export function readForm(body: Buffer): Nested {
  const root = emptied();
  let count = 0;
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    if (++count > MAX_PARAMETERS) throw new BadPayloadError(`more than ${MAX_PARAMETERS} parameters`, { status: 400 });
    const path = [...name.matchAll(/^[^[\]]+|\[([^[\]]*)\]/g)].map(([whole, inner]) => inner ?? whole);
    if (path.length > MAX_DEPTH) throw new BadPayloadError(`nested deeper than ${MAX_DEPTH}`, { status: 400 });
    put(root, path, value);
  }
  return root;
}

type Growing = Record<string, string | Nested>;

function put(root: Growing, path: readonly string[], value: string): void {
  let at = root;
  for (const step of path.slice(0, -1)) {
    const inner = at[step];
    at = (typeof inner === 'object' ? inner : (at[step] = emptied())) as Growing;
  }
  const last = path.at(-1);
  if (last !== undefined) at[last] ??= value;
}

/** Without a prototype: a parameter called `__proto__` is only a parameter. */
function emptied(): Growing {
  return Object.create(null) as Growing;
}
