/** A value that a column can hold: TEXT, BIGINT (as a safe integer) or BYTEA. */
export type Value = string | number | Uint8Array | null;

export type Row = Record<string, Value>;

/**
 * Runs one statement, prepared once per text. Placeholders are `?`. A text that ends with `FOR UPDATE` keeps others from
 * changing, or reading in this way, the rows that it gives, until the end of the transaction.
 */
export interface Sql {
  /** How many rows it changed. */
  run(text: string, ...values: readonly Value[]): Promise<number>;
  get<T extends object = Row>(text: string, ...values: readonly Value[]): Promise<T | undefined>;
  all<T extends object = Row>(text: string, ...values: readonly Value[]): Promise<T[]>;
  /** Inserts one row into a table that numbers its rows by itself in `column`; its number. */
  insert(text: string, column: string, ...values: readonly Value[]): Promise<number>;
  /** The next number of a counter. One that a transaction took and didn't keep is not given again. */
  next(counter: 'ticket'): Promise<number>;
  /**
   * Resolves where nothing else is being written, until the end of the transaction; otherwise the transaction is taken
   * back and runs again in that way. For what moves rows about that others may just be adding to.
   */
  alone(): Promise<void>;
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
