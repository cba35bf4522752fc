import { sql as raw } from 'kysely';
import type { Db } from './reader/kysely.ts';
import { distinct } from './reader/page.ts';
import { POSITION, type Document, type Documents } from './search.ts';
import { given, type Sql } from './sql.ts';
import { matchOf, type Syntax } from './words.ts';

/** What is said in tickets is one column, who customers are another: a search looks at one of them. */
const TABLES = [
  `CREATE TABLE IF NOT EXISTS search_documents (document INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT`,
  // The words are folded and cut before they come here, so the tokenizer has nothing to know about letters.
  `CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5 (
     said, person, content='', contentless_delete=1, detail=column, tokenize='ascii', prefix='2 3')`,
];

const FTS5: Syntax = { and: ' AND ', or: ' OR ', word: (word) => `"${word}"`, beginning: (word) => `"${word}"*` };

/** Makes the tables; where they are missing, everything is indexed again. */
export async function ensureSearch(sql: Sql): Promise<void> {
  const found = await sql.get(`SELECT 1 AS x FROM sqlite_master WHERE name = 'search'`);
  if (!found) await sql.run('DELETE FROM counters WHERE name = ?', POSITION);
  for (const table of TABLES) await sql.run(table);
}

/** Documents as rows of a full-text table. */
export const sqliteDocuments: Documents = { save, find };

async function save(sql: Sql, { id, said, person }: Document): Promise<void> {
  const find = () => sql.get<{ document: number }>('SELECT document FROM search_documents WHERE id = ?', id);
  const old = await find();
  if (old) await sql.run('DELETE FROM search WHERE rowid = ?', old.document);
  if (said === undefined && person === undefined) {
    if (old) await sql.run('DELETE FROM search_documents WHERE document = ?', old.document);
    return;
  }
  // Without RETURNING: that makes a savepoint, at which the index writes out all that it has gathered, each time.
  if (!old) await sql.run('INSERT INTO search_documents (id) VALUES (?)', id);
  await sql.run(
    'INSERT INTO search (rowid, said, person) VALUES (?, ?, ?)',
    given(old ?? (await find())).document,
    said ?? '',
    person ?? '',
  );
}

async function find(db: Db, column: 'said' | 'person', q: string, most: number): Promise<readonly string[]> {
  const match = matchOf(q, FTS5);
  if (match === undefined) return [];
  const { rows } = await raw<{ id: string }>`
    SELECT coalesce(messages.ticket_id, search_documents.id) AS id FROM search
    JOIN search_documents ON search_documents.document = search.rowid
    LEFT JOIN messages ON messages.id = search_documents.id
    WHERE search MATCH ${`${column} : (${match})`} ORDER BY search.rowid DESC LIMIT ${most}`.execute(db);
  return distinct(rows.map((row) => row.id));
}
