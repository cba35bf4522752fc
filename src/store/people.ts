import type { Merge } from '../core/people.ts';
import type { CustomerRow, IdentifierRow, Moved } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import { belongingsIn, give } from './belongings.ts';
import type { Recent } from './recent.ts';
import type { Sql } from './sql.ts';

/** `moved`: `Moved` as JSON. */
type MergeRow = Pick<Merge, 'id' | 'kind' | 'winner' | 'loser' | 'evidence'> & { readonly moved: string };

const NOTHING: Moved = { identifiers: [], claims: [], tickets: [], messages: [] };

/** Customers, their identifiers and claims, joins, splits and who was told apart, and their undoing. */
export function peopleOf(
  sql: Sql,
  recent: Recent,
): Pick<
  Transaction,
  | 'customer'
  | 'insertCustomer'
  | 'completeCustomer'
  | 'askProfile'
  | 'identifier'
  | 'identifiersOf'
  | 'saveIdentifier'
  | 'saveClaim'
  | 'claimant'
  | 'moveCustomer'
  | 'undoMerge'
  | 'splitCustomer'
  | 'tellApart'
> {
  const belongings = belongingsIn(sql);

  /** Whoever asks what is known of a customer decides by it: nobody else adds to it meanwhile. */
  async function identifiersOf(customerId: string): Promise<readonly IdentifierRow[]> {
    await sql.get('SELECT 1 AS x FROM customers WHERE id = ? FOR UPDATE', customerId);
    return sql.all<IdentifierRow>(
      'SELECT kind, value, trust, customer_id AS "customerId" FROM identifiers WHERE customer_id = ? ORDER BY kind, value',
      customerId,
    );
  }

  const saveMerge = (row: Omit<MergeRow, 'moved'>, moved: Moved, at: number) =>
    sql.run(
      'INSERT INTO merges (id, kind, winner, loser, evidence, moved, at) VALUES (?, ?, ?, ?, ?, ?, ?)',
      row.id,
      row.kind,
      row.winner,
      row.loser,
      row.evidence,
      JSON.stringify(moved),
      at,
    );

  /** Whoever was only made by a split, and is left with nothing when it is undone, leads back to whom he was split from. */
  async function withdraw(id: string, into: string): Promise<void> {
    for (const table of ['identifiers', 'claims', 'tickets', 'messages']) {
      if (await sql.get(`SELECT 1 AS x FROM ${table} WHERE customer_id = ? LIMIT 1`, id)) return;
    }
    await sql.run('UPDATE customers SET merged_into = ? WHERE id = ?', into, id);
  }

  const touch = (id: string, at: number) =>
    sql.run('UPDATE customers SET version = version + 1, updated_at = ? WHERE id = ?', at, id);

  return {
    customer: (id) =>
      sql.get<CustomerRow>(
        'SELECT id, name, locale, version, merged_into AS "mergedInto" FROM customers WHERE id = ?',
        id,
      ),
    async insertCustomer(row) {
      await sql.run(
        'INSERT INTO customers (id, name, locale, version, created_at, updated_at) VALUES (?, ?, ?, 1, ?, ?)',
        row.id,
        row.name,
        row.locale,
        row.at,
        row.at,
      );
    },
    async completeCustomer(id, { name, locale }, at) {
      // What is filled in is never emptied again.
      const known = `${name === undefined ? '' : 'name'} ${locale === undefined ? '' : 'locale'}`;
      if (recent.completed.get(id) === known) return;
      recent.completed.set(id, known);
      await sql.run(
        `UPDATE customers SET name = coalesce(name, ?), locale = coalesce(locale, ?), version = version + 1, updated_at = ?
         WHERE id = ? AND ((name IS NULL AND ? = 1) OR (locale IS NULL AND ? = 1))`,
        name ?? null,
        locale ?? null,
        at,
        id,
        name === undefined ? 0 : 1,
        locale === undefined ? 0 : 1,
      );
    },
    async askProfile(id, at, since) {
      const asked = await sql.run(
        'UPDATE customers SET asked_at = ? WHERE id = ? AND name IS NULL AND (asked_at IS NULL OR asked_at <= ?)',
        at,
        id,
        since,
      );
      return asked > 0;
    },
    async identifier(kind, value) {
      const key = `${kind} ${value}`;
      const known = recent.identifiers.get(key);
      if (known) return known;
      const row = await sql.get<IdentifierRow>(
        'SELECT kind, value, trust, customer_id AS "customerId" FROM identifiers WHERE kind = ? AND value = ?',
        kind,
        value,
      );
      if (row) recent.identifiers.set(key, row);
      return row;
    },
    identifiersOf,
    async saveIdentifier(row, at) {
      await sql.run(
        `INSERT INTO identifiers (kind, value, trust, customer_id, first_seen_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (kind, value) DO UPDATE SET trust = excluded.trust, customer_id = excluded.customer_id`,
        row.kind,
        row.value,
        row.trust,
        row.customerId,
        at,
      );
      const { kind, value, trust, customerId } = row;
      recent.identifiers.set(`${kind} ${value}`, { kind, value, trust, customerId });
    },
    async saveClaim(customerId, kind, value, at) {
      await sql.run(
        `INSERT INTO claims (kind, value, customer_id, first_seen_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (kind, value, customer_id) DO NOTHING`,
        kind,
        value,
        customerId,
        at,
      );
    },
    async claimant(kind, value) {
      const row = await sql.get<{ id: string }>(
        `SELECT c.customer_id AS id FROM claims c JOIN customers p ON p.id = c.customer_id
         WHERE c.kind = ? AND c.value = ? AND p.merged_into IS NULL
           AND NOT EXISTS (SELECT 1 FROM identifiers i WHERE i.customer_id = c.customer_id)
         ORDER BY c.first_seen_at, c.customer_id LIMIT 1`,
        kind,
        value,
      );
      return row?.id;
    },
    async moveCustomer(from, to, evidence, mergeId, at) {
      await sql.alone();
      const moved = await belongings.all(from, to);
      await give(sql, recent, moved, from, to);
      await saveMerge({ id: mergeId, kind: 'merge', winner: to, loser: from, evidence }, moved, at);
      await sql.run('UPDATE customers SET merged_into = ? WHERE id = ?', to, from);
      await touch(from, at);
      await touch(to, at);
    },
    async undoMerge(mergeId, at) {
      await sql.alone();
      const merge = await belongings.undoable(mergeId);
      if (!merge) return undefined;
      const { kind, winner, loser, moved } = merge;
      await sql.run('UPDATE merges SET undone_at = ? WHERE id = ?', at, mergeId);
      if (kind === 'apart') return { kind, winner, loser };
      await give(sql, recent, moved, winner, loser);
      await sql.run('UPDATE customers SET merged_into = NULL WHERE id = ? AND merged_into = ?', loser, winner);
      if (kind === 'split') await withdraw(winner, loser);
      await touch(loser, at);
      await touch(winner, at);
      return { kind, winner, loser };
    },
    async splitCustomer(from, to, identifiers, evidence, mergeId, at) {
      await sql.alone();
      const moved = await belongings.by(from, identifiers);
      await give(sql, recent, moved, from, to);
      await saveMerge({ id: mergeId, kind: 'split', winner: to, loser: from, evidence }, moved, at);
      await touch(from, at);
      await touch(to, at);
    },
    async tellApart(customerId, other, evidence, mergeId, at) {
      const told = await sql.get<{ id: string }>(
        `SELECT id FROM merges WHERE winner = ? AND loser = ? AND kind = 'apart' AND undone_at IS NULL
         UNION ALL
         SELECT id FROM merges WHERE winner = ? AND loser = ? AND kind = 'apart' AND undone_at IS NULL LIMIT 1`,
        customerId,
        other,
        other,
        customerId,
      );
      if (told) return told.id;
      await saveMerge({ id: mergeId, kind: 'apart', winner: customerId, loser: other, evidence }, NOTHING, at);
      return mergeId;
    },
  };
}
