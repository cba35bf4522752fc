import { existsSync } from 'node:fs';
import { PermanentError } from '../core/errors.ts';
import { migrations, type Migration } from './schema.ts';
import { pragmaOf, type Database } from './sqlite.ts';

/**
 * Brings a SQLite file to the current schema. Each migration is one transaction that also counts the
 * version up, so one that is cut off is done again. Data is copied beside the file first; a file from a
 * newer version is left alone.
 */
export function migrate(database: Database, path: string, known: readonly Migration[] = migrations): void {
  const version = Number(pragmaOf(database, 'user_version') ?? 0);
  if (version > known.length) {
    throw new PermanentError(`the database ${path} was written by a newer version (schema ${version})`, {
      hint: `This version knows schema ${known.length}. Install the newer version again, or restore the copy made before the upgrade.`,
    });
  }
  if (version === known.length) return;
  if (version > 0) copyBefore(database, `${path}.before-${version + 1}`);
  for (const [index, migration] of known.entries()) {
    if (index < version) continue;
    database.exec('BEGIN IMMEDIATE');
    try {
      for (const statement of migration.statements) database.exec(toSqlite(statement));
      database.exec(`PRAGMA user_version = ${index + 1}`);
      database.exec('COMMIT');
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }
}

function copyBefore(database: Database, target: string): void {
  if (!existsSync(target)) database.prepare('VACUUM INTO ?').run(target);
}

/** The three column types in SQLite's words, every table strict. */
function toSqlite(statement: string): string {
  const typed = statement.replace(/\bBIGINT\b/g, 'INTEGER').replace(/\bBYTEA\b/g, 'BLOB');
  return typed.startsWith('CREATE TABLE') ? `${typed} STRICT` : typed;
}
