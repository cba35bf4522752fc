import type { Db } from './reader/kysely.ts';
import type { Documents } from './search.ts';
import type { Sql, Value } from './sql.ts';

export interface Table {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: 'TEXT' | 'BIGINT' | 'BYTEA' }[];
}

/** The values of a row, in the order of its table's columns. */
export type Values = readonly Value[];

/** A database while it is being moved. */
interface Side {
  /** All rows, some at a time, in any order. */
  pages(table: Table): AsyncIterable<readonly Values[]>;
  /** Takes back whatever isn't committed. */
  close(): Promise<void>;
}

export interface Source extends Side {
  readonly tables: readonly Table[];
  /** The last number that a ticket got. */
  readonly lastTicket: number;
  /** Called when everything is in its new place: puts the old one where no gateway goes on with it. Where that is. */
  retire(): Promise<string | undefined>;
}

/** An empty database of the current schema, in one transaction. */
export interface Target extends Side {
  readonly sql: Sql;
  readonly db: Db;
  readonly documents: Documents;
  /** A value as this database can hold it. */
  toStored(value: Value): Value;
  insert(table: Table, rows: readonly Values[]): Promise<void>;
  /** Sets the numbers that are given out behind those that were. */
  setNumbers(lastTicket: number): Promise<void>;
  commit(): Promise<void>;
}

/** Rows that are read, and written, at a time: few, since a message with its HTML may have megabytes. */
export const PAGE = 50;
