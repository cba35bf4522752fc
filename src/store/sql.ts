/** A value that a column can hold: TEXT, BIGINT (as a safe integer) or BYTEA. */
export type Value = string | number | Uint8Array | null;

export type Row = Record<string, Value>;

/** Runs one statement, prepared once per text. Placeholders are `?`. */
export interface Sql {
  /** How many rows it changed. */
  run(text: string, ...values: readonly Value[]): Promise<number>;
  get<T extends object = Row>(text: string, ...values: readonly Value[]): Promise<T | undefined>;
  all<T extends object = Row>(text: string, ...values: readonly Value[]): Promise<T[]>;
}

/** The row of a statement that always gives one. */
export function given<T>(row: T | undefined): T {
  if (row === undefined) throw new Error('a statement gave no row');
  return row;
}

/** JSON of a column; absent columns stay absent. */
export function fromJson<T>(text: Value | undefined): T | undefined {
  return typeof text === 'string' ? (JSON.parse(text) as T) : undefined;
}

export function toJson(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}
