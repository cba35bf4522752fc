/** A second key that comes later than this begins anew. */
const WAIT_MS = 1500;

export interface Pressed {
  /** Where the key is on the keyboard, so that it works in every layout. */
  readonly code: string;
  readonly shiftKey: boolean;
  /** Milliseconds. */
  readonly timeStamp: number;
}

/**
 * Reads keys that are pressed one after the other. `leads`: keys that wait for another one, which then make one name
 * together: `KeyG KeyI`.
 */
export function createChords(leads: readonly string[]) {
  let lead: { readonly name: string; readonly at: number } | undefined;
  return {
    /** The name of what was pressed; undefined while it is only the first half. */
    press({ code, shiftKey, timeStamp }: Pressed): string | undefined {
      const name = shiftKey ? `Shift+${code}` : code;
      const before = lead && timeStamp - lead.at < WAIT_MS ? `${lead.name} ` : '';
      lead = undefined;
      if (before !== '' || !leads.includes(name)) return before + name;
      lead = { name, at: timeStamp };
      return undefined;
    },
  };
}
