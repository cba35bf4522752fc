import { ConflictError, PermanentError } from '../core/errors.ts';
import type { CustomerRow, IdentifierRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { Recent } from './recent.ts';
import type { Sql } from './sql.ts';

/** What a join or a split moved, so that exactly that can be moved back. */
interface Moved {
  identifiers: { kind: string; value: string }[];
  claims: { kind: string; value: string }[];
  tickets: string[];
  messages: string[];
}

/** Customers, their identifiers and claims, joins and their undoing. */
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
> {
  /** Whoever asks what is known of a customer decides by it: nobody else adds to it meanwhile. */
  async function identifiersOf(customerId: string): Promise<readonly IdentifierRow[]> {
    await sql.get('SELECT 1 AS x FROM customers WHERE id = ? FOR UPDATE', customerId);
    return sql.all<IdentifierRow>(
      'SELECT kind, value, trust, customer_id AS "customerId" FROM identifiers WHERE customer_id = ? ORDER BY kind, value',
      customerId,
    );
  }

  const ids = async (text: string, ...values: string[]) =>
    (await sql.all<{ id: string }>(text, ...values)).map((row) => row.id);

  /** Claims that the other one doesn't make himself: what both claim stays with both, so that it can be undone. */
  const claimsOnlyOf = (customerId: string, other: string) =>
    sql.all<{ kind: string; value: string }>(
      `SELECT kind, value FROM claims c WHERE customer_id = ? AND NOT EXISTS
         (SELECT 1 FROM claims o WHERE o.kind = c.kind AND o.value = c.value AND o.customer_id = ?)`,
      customerId,
      other,
    );

  /** Messages of a customer whose author carries an identifier. */
  async function messagesBy(customerId: string, kind: string, value: string): Promise<string[]> {
    const pair = JSON.stringify({ kind, value }).slice(1, -1);
    const rows = await sql.all<{ id: string; author: string }>(
      `SELECT id, author FROM messages WHERE customer_id = ? AND author LIKE ? ESCAPE '\\'`,
      customerId,
      `%${pair.replace(/[\\%_]/g, '\\$&')}%`,
    );
    // LIKE takes upper and lower case for the same in one database and not in the other; ids differ by case.
    return rows.filter((row) => row.author.includes(pair)).map((row) => row.id);
  }

  /** Gives everything listed to another customer. */
  async function move(moved: Moved, from: string, to: string): Promise<void> {
    recent.forget();
    for (const { kind, value } of moved.identifiers) {
      await sql.run(
        'UPDATE identifiers SET customer_id = ? WHERE kind = ? AND value = ? AND customer_id = ?',
        to,
        kind,
        value,
        from,
      );
    }
    for (const { kind, value } of moved.claims) {
      await sql.run(
        `INSERT INTO claims (kind, value, customer_id, first_seen_at)
         SELECT kind, value, ?, first_seen_at FROM claims WHERE kind = ? AND value = ? AND customer_id = ?
         ON CONFLICT (kind, value, customer_id) DO NOTHING`,
        to,
        kind,
        value,
        from,
      );
      await sql.run('DELETE FROM claims WHERE kind = ? AND value = ? AND customer_id = ?', kind, value, from);
    }
    for (const id of moved.tickets) {
      await sql.run(
        'UPDATE tickets SET customer_id = ?, version = version + 1 WHERE id = ? AND customer_id = ?',
        to,
        id,
        from,
      );
    }
    for (const id of moved.messages) {
      await sql.run('UPDATE messages SET customer_id = ? WHERE id = ? AND customer_id = ?', to, id, from);
    }
  }

  const saveMerge = (id: string, winner: string, loser: string, evidence: string, moved: Moved, at: number) =>
    sql.run(
      'INSERT INTO merges (id, winner, loser, evidence, moved, at) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      winner,
      loser,
      evidence,
      JSON.stringify(moved),
      at,
    );

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
      const moved: Moved = {
        identifiers: (await identifiersOf(from)).map(({ kind, value }) => ({ kind, value })),
        claims: await claimsOnlyOf(from, to),
        tickets: await ids('SELECT id FROM tickets WHERE customer_id = ?', from),
        messages: await ids('SELECT id FROM messages WHERE customer_id = ?', from),
      };
      await move(moved, from, to);
      await saveMerge(mergeId, to, from, evidence, moved, at);
      await sql.run('UPDATE customers SET merged_into = ? WHERE id = ?', to, from);
      await touch(from, at);
      await touch(to, at);
    },
    async undoMerge(mergeId, at) {
      await sql.alone();
      const merge = await sql.get<{ winner: string; loser: string; moved: string; undone_at: number | null }>(
        'SELECT winner, loser, moved, undone_at FROM merges WHERE id = ?',
        mergeId,
      );
      if (!merge || merge.undone_at !== null) return undefined;
      const winner = await sql.get<{ merged_into: string | null }>(
        'SELECT merged_into FROM customers WHERE id = ?',
        merge.winner,
      );
      // What moved has moved on with the winner: undoing this alone would bring nothing back.
      if (winner?.merged_into != null) {
        throw new ConflictError(`${merge.winner} was merged into ${winner.merged_into} since`, {
          hint: 'Undo that merge first.',
        });
      }
      await move(JSON.parse(merge.moved) as Moved, merge.winner, merge.loser);
      await sql.run('UPDATE merges SET undone_at = ? WHERE id = ?', at, mergeId);
      await sql.run(
        'UPDATE customers SET merged_into = NULL WHERE id = ? AND merged_into = ?',
        merge.loser,
        merge.winner,
      );
      await touch(merge.loser, at);
      await touch(merge.winner, at);
      return { winner: merge.winner, loser: merge.loser };
    },
    async splitCustomer(from, to, identifiers, mergeId, at) {
      await sql.alone();
      const moved: Moved = { identifiers: [], claims: [], tickets: [], messages: [] };
      for (const { kind, value } of identifiers) {
        const owned = await sql.get(
          'SELECT 1 AS x FROM identifiers WHERE kind = ? AND value = ? AND customer_id = ?',
          kind,
          value,
          from,
        );
        const claimed = await sql.get(
          'SELECT 1 AS x FROM claims WHERE kind = ? AND value = ? AND customer_id = ?',
          kind,
          value,
          from,
        );
        if (owned) moved.identifiers.push({ kind, value });
        if (claimed) moved.claims.push({ kind, value });
        if (!owned && !claimed) throw new PermanentError(`the customer has no identifier ${kind}:${value}`);
        moved.messages.push(...(await messagesBy(from, kind, value)));
      }
      // A ticket goes along when all of the customer's messages in it do.
      for (const id of await ids('SELECT id FROM tickets WHERE customer_id = ?', from)) {
        const authors = await ids(`SELECT id FROM messages WHERE ticket_id = ? AND direction = 'inbound'`, id);
        if (authors.length > 0 && authors.every((message) => moved.messages.includes(message))) moved.tickets.push(id);
      }
      await move(moved, from, to);
      await saveMerge(mergeId, to, from, 'split by an agent', moved, at);
      await touch(from, at);
      await touch(to, at);
    },
  };
}
