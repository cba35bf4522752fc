import { ConflictError, PermanentError } from '../core/errors.ts';
import type { Merge } from '../core/people.ts';
import type { Moved } from '../core/rows.ts';
import type { Recent } from './recent.ts';
import type { Sql } from './sql.ts';

type Pair = Moved['identifiers'][number];
/** What `undoMerge` takes back. */
type Undoable = Pick<Merge, 'kind' | 'winner' | 'loser'> & { readonly moved: Moved };

/** Who has to be there when one is undone. */
const needed: Readonly<Record<Merge['kind'], readonly ('winner' | 'loser')[]>> = {
  // What moved has moved on with the winner; and whoever gets back what was split off must not be gone.
  merge: ['winner'],
  split: ['winner', 'loser'],
  apart: [],
};

/** What is a customer's: as a whole, by some of his identifiers, or what the undoing of a join or split gives back. */
export function belongingsIn(sql: Pick<Sql, 'get' | 'all'>) {
  const ids = async (text: string, ...values: string[]) =>
    (await sql.all<{ id: string }>(text, ...values)).map((row) => row.id);

  const pairs = async (text: string, ...values: string[]) =>
    (await sql.all<Pair>(text, ...values)).map(({ kind, value }) => ({ kind, value }));

  const identifiersOf = (customerId: string) =>
    pairs('SELECT kind, value FROM identifiers WHERE customer_id = ? ORDER BY kind, value', customerId);
  const claimsOf = (customerId: string) =>
    pairs('SELECT kind, value FROM claims WHERE customer_id = ? ORDER BY kind, value', customerId);
  const ticketsOf = (customerId: string) => ids('SELECT id FROM tickets WHERE customer_id = ? ORDER BY id', customerId);
  const messagesOf = (customerId: string) =>
    ids('SELECT id FROM messages WHERE customer_id = ? ORDER BY id', customerId);

  /** Claims that the other one doesn't make himself: what both claim stays with both, so that it can be undone. */
  const claimsOnlyOf = (customerId: string, other: string) =>
    pairs(
      `SELECT kind, value FROM claims c WHERE customer_id = ? AND NOT EXISTS
         (SELECT 1 FROM claims o WHERE o.kind = c.kind AND o.value = c.value AND o.customer_id = ?)`,
      customerId,
      other,
    );

  /** Messages of a customer whose author carries an identifier. */
  async function messagesBy(customerId: string, { kind, value }: Pair): Promise<string[]> {
    const pair = JSON.stringify({ kind, value }).slice(1, -1);
    const rows = await sql.all<{ id: string; author: string }>(
      `SELECT id, author FROM messages WHERE customer_id = ? AND author LIKE ? ESCAPE '\\'`,
      customerId,
      `%${pair.replace(/[\\%_]/g, '\\$&')}%`,
    );
    // LIKE takes upper and lower case for the same in one database and not in the other; ids differ by case.
    return rows.filter((row) => row.author.includes(pair)).map((row) => row.id);
  }

  const holds = async (table: 'identifiers' | 'claims', customerId: string, { kind, value }: Pair) =>
    (await sql.get(
      `SELECT 1 AS x FROM ${table} WHERE kind = ? AND value = ? AND customer_id = ?`,
      kind,
      value,
      customerId,
    )) !== undefined;

  return {
    /** Everything of his that `other` doesn't have as well. */
    all: async (customerId: string, other: string): Promise<Moved> => ({
      identifiers: await identifiersOf(customerId),
      claims: await claimsOnlyOf(customerId, other),
      tickets: await ticketsOf(customerId),
      messages: await messagesOf(customerId),
    }),

    /** Some of his identifiers, and what came by them. Throws `PermanentError` for one that he hasn't. */
    async by(customerId: string, wanted: readonly Pair[]): Promise<Moved> {
      const [identifiers, claims, tickets]: [Pair[], Pair[], string[]] = [[], [], []];
      const messages = new Set<string>();
      for (const pair of wanted) {
        const isOwn = await holds('identifiers', customerId, pair);
        const isClaim = await holds('claims', customerId, pair);
        if (isOwn) identifiers.push(pair);
        if (isClaim) claims.push(pair);
        if (!isOwn && !isClaim) throw new PermanentError(`the customer has no identifier ${pair.kind}:${pair.value}`);
        for (const id of await messagesBy(customerId, pair)) messages.add(id);
      }
      // A ticket goes along when all of the customer's messages in it do, and then what was answered in it as well.
      for (const id of await ticketsOf(customerId)) {
        const written = await ids(`SELECT id FROM messages WHERE ticket_id = ? AND direction = 'inbound'`, id);
        if (written.length === 0 || !written.every((message) => messages.has(message))) continue;
        tickets.push(id);
        const answered = await ids(
          'SELECT id FROM messages WHERE ticket_id = ? AND customer_id = ? ORDER BY id',
          id,
          customerId,
        );
        for (const message of answered) messages.add(message);
      }
      return { identifiers, claims, tickets, messages: [...messages].sort() };
    },

    /** What of a list he still has. */
    async left({ identifiers, claims, tickets, messages }: Moved, customerId: string): Promise<Moved> {
      const own = <T>(wanted: readonly T[], has: readonly T[]) => {
        const keys = new Set(has.map((one) => JSON.stringify(one)));
        return wanted.filter((one) => keys.has(JSON.stringify(one)));
      };
      return {
        identifiers: own(identifiers, await identifiersOf(customerId)),
        claims: own(claims, await claimsOf(customerId)),
        tickets: own(tickets, await ticketsOf(customerId)),
        messages: own(messages, await messagesOf(customerId)),
      };
    },

    /** What can be undone, with what it moved. Throws `ConflictError` where somebody has to come back first. */
    async undoable(mergeId: string): Promise<Undoable | undefined> {
      const merge = await sql.get<
        Pick<Merge, 'kind' | 'winner' | 'loser'> & { moved: string; undone_at: number | null }
      >('SELECT kind, winner, loser, moved, undone_at FROM merges WHERE id = ?', mergeId);
      if (!merge || merge.undone_at !== null) return undefined;
      const { kind, winner, loser, moved } = merge;
      for (const customerId of needed[kind].map((side) => merge[side])) {
        const row = await sql.get<{ merged_into: string | null }>(
          'SELECT merged_into FROM customers WHERE id = ?',
          customerId,
        );
        if (row?.merged_into == null) continue;
        throw new ConflictError(`${customerId} was merged into ${row.merged_into} since`, {
          hint: 'Undo that merge first, or merge those who belong together.',
        });
      }
      return { kind, winner, loser, moved: JSON.parse(moved) as Moved };
    },
  };
}

/** Gives everything listed to another customer. */
export async function give(sql: Sql, recent: Recent, moved: Moved, from: string, to: string): Promise<void> {
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
