import { firstId } from '../core/id.ts';
import type { TicketPatch, TicketRow } from '../core/rows.ts';
import type { Conversation, Transaction } from '../core/store.ts';
import type { Recent } from './recent.ts';
import { fromJson, toJson, type Row, type Sql, type Value } from './sql.ts';

/** Tickets and threads. */
export function ticketsOf(
  sql: Sql,
  recent: Recent,
): Pick<
  Transaction,
  | 'ticket'
  | 'ticketByNumber'
  | 'insertTicket'
  | 'nextSeq'
  | 'setStatus'
  | 'updateTicket'
  | 'ticketOfThread'
  | 'saveThread'
  | 'lastInbound'
  | 'externalIds'
  | 'recentOpenTicket'
  | 'isParticipant'
  | 'moveMessages'
  | 'messageIds'
  | 'wasAutoReplied'
  | 'repointThreads'
> {
  /** Keeps a row that was just read. */
  function noted(row: Row | undefined): TicketRow | undefined {
    const ticket = ticketOf(row);
    if (ticket) recent.tickets.set(ticket.id, ticket);
    return ticket;
  }

  async function ticket(id: string): Promise<TicketRow | undefined> {
    return recent.tickets.get(id) ?? noted(await sql.get('SELECT * FROM tickets WHERE id = ? FOR UPDATE', id));
  }

  async function nextSeq(ticketId: string, at: number, direction: 'inbound' | 'outbound' | 'note') {
    const spoken = direction === 'note' ? 0 : 1;
    const values = [at, spoken, spoken, at, direction, at, ticketId];
    const known = recent.tickets.get(ticketId);
    if (!known) {
      const ticket = noted(await sql.get(`${NEXT_SEQ} RETURNING *`, ...values));
      if (!ticket) throw new Error(`ticket ${ticketId} is gone`);
      return { seq: ticket.lastSeq, version: ticket.version };
    }
    await sql.run(NEXT_SEQ, ...values);
    const seq = known.lastSeq + 1;
    const version = known.version + 1;
    const lastInboundAt = direction === 'inbound' ? at : known.lastInboundAt;
    recent.tickets.set(ticketId, { ...known, lastSeq: seq, version, updatedAt: at, lastInboundAt });
    return { seq, version };
  }

  async function saveTags(ticketId: string, names: readonly string[]): Promise<void> {
    for (const [tag, name] of new Map(names.map((each) => [folded(each), each]))) {
      await sql.run('INSERT INTO ticket_tags (tag, ticket_id, name) VALUES (?, ?, ?)', tag, ticketId, name);
    }
  }

  return {
    ticket,
    async ticketByNumber(number) {
      return ticketOf(await sql.get('SELECT * FROM tickets WHERE number = ? FOR UPDATE', number));
    },
    async insertTicket(row) {
      const number = await sql.next('ticket');
      await sql.run(
        `INSERT INTO tickets (id, number, subject, status, priority, channel_id, customer_id, assignee, team, tags, fields,
           language, message_count, last_seq, version, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?)`,
        row.id,
        number,
        row.subject,
        row.status,
        row.priority,
        row.channelId,
        row.customerId,
        row.assignee,
        row.team,
        JSON.stringify(row.tags),
        JSON.stringify(row.fields),
        row.language,
        row.createdAt,
        row.createdAt,
      );
      await saveTags(row.id, row.tags);
      const begun = { lastSeq: 0, version: 0, lastInboundAt: null, closedAt: null, mergedInto: null };
      recent.tickets.set(row.id, { ...row, ...begun, number, updatedAt: row.createdAt });
      return number;
    },
    nextSeq,
    async setStatus(id, { status, closedAt, setAt }, at) {
      recent.tickets.delete(id);
      const row = await sql.get<{ version: number }>(
        `UPDATE tickets SET status = ?, closed_at = ?, status_at = ?, version = version + 1, updated_at = ?
         WHERE id = ? AND coalesce(status_at, 0) <= ? RETURNING version`,
        status,
        closedAt,
        setAt,
        at,
        id,
        setAt,
      );
      return row?.version;
    },
    async updateTicket(id, patch, at) {
      recent.tickets.delete(id);
      const names = Object.keys(patch) as (keyof TicketPatch)[];
      const values = names.map((name) => toValue(patch[name]));
      const sets = names.map((name) => `${COLUMNS[name]} = ?, `).join('');
      const timed = patch.status === undefined ? '' : 'status_at = ?, ';
      if (timed) values.push(at);
      const row = await sql.get<{ version: number }>(
        `UPDATE tickets SET ${sets}${timed}version = version + 1, updated_at = ? WHERE id = ? RETURNING version`,
        ...values,
        at,
        id,
      );
      if (!row) throw new Error(`ticket ${id} is gone`);
      if (patch.tags !== undefined) {
        await sql.run('DELETE FROM ticket_tags WHERE ticket_id = ?', id);
        await saveTags(id, patch.tags);
      }
      return row.version;
    },
    async ticketOfThread(endpointId, externalId) {
      const key = `${endpointId} ${externalId}`;
      let id = recent.threads.get(key);
      if (id === undefined) {
        const row = await sql.get<{ id: string }>(
          'SELECT ticket_id AS id FROM threads WHERE endpoint_id = ? AND external_id = ?',
          endpointId,
          externalId,
        );
        if (!row) return undefined;
        recent.threads.set(key, (id = row.id));
      }
      return ticket(id);
    },
    async saveThread(endpointId, externalId, ticketId, shared) {
      await sql.run(
        `INSERT INTO threads (endpoint_id, external_id, ticket_id, shared) VALUES (?, ?, ?, ?)
         ON CONFLICT (endpoint_id, external_id) DO UPDATE SET ticket_id = excluded.ticket_id, shared = excluded.shared`,
        endpointId,
        externalId,
        ticketId,
        shared ? 1 : 0,
      );
      recent.threads.set(`${endpointId} ${externalId}`, ticketId);
    },
    lastInbound: (ticketId, endpointId, where = {}) =>
      sql.get(
        `SELECT m.id, m.thread_id AS thread FROM messages m WHERE ${CONVERSATION} AND m.direction = 'inbound'
         ORDER BY m.automatic IS NULL DESC, m.seq DESC LIMIT 1`,
        ...conversation(ticketId, endpointId, where),
      ),
    async externalIds(ticketId, endpointId, where = {}) {
      const rows = await sql.all<{ id: string }>(
        `SELECT coalesce(p.external_id, m.external_id) AS id FROM messages m LEFT JOIN parts p ON p.message_id = m.id
         WHERE ${CONVERSATION} AND coalesce(p.external_id, m.external_id) IS NOT NULL
         ORDER BY m.seq DESC, p.at DESC, p.external_id DESC LIMIT 20`,
        ...conversation(ticketId, endpointId, where),
      );
      return rows.map((row) => row.id).reverse();
    },
    async recentOpenTicket(customerId, since) {
      return ticketOf(
        await sql.get(
          `SELECT * FROM tickets t WHERE customer_id = ? AND last_message_at >= ? AND status NOT IN ('solved', 'closed')
             AND merged_into IS NULL AND NOT EXISTS (SELECT 1 FROM threads WHERE ticket_id = t.id AND shared = 1) ORDER BY last_message_at DESC, id DESC LIMIT 1
           FOR UPDATE`,
          customerId,
          since,
        ),
      );
    },
    async isParticipant(ticketId, customerId) {
      const row = await sql.get(
        `SELECT 1 AS x FROM tickets WHERE id = ? AND customer_id = ?
         UNION ALL SELECT 1 FROM messages WHERE ticket_id = ? AND customer_id = ? AND verified = 1 AND direction = 'inbound' LIMIT 1`,
        ticketId,
        customerId,
        ticketId,
        customerId,
      );
      return row !== undefined;
    },
    async moveMessages(messageIds, to, at) {
      await sql.alone();
      recent.forget();
      for (const id of messageIds) {
        const message = await sql.get<{ ticket_id: string; direction: 'inbound' | 'outbound'; kind: string }>(
          'SELECT ticket_id, direction, kind FROM messages WHERE id = ?',
          id,
        );
        if (!message) continue;
        const direction = message.kind === 'note' ? 'note' : message.direction;
        const { seq } = await nextSeq(to, at, direction);
        await sql.run('UPDATE messages SET ticket_id = ?, seq = ? WHERE id = ?', to, seq, id);
        await sql.run(
          'UPDATE tickets SET message_count = message_count - ?, version = version + 1, updated_at = ? WHERE id = ?',
          direction === 'note' ? 0 : 1,
          at,
          message.ticket_id,
        );
      }
    },
    async messageIds(ticketId) {
      const rows = await sql.all<{ id: string }>('SELECT id FROM messages WHERE ticket_id = ? ORDER BY seq', ticketId);
      return rows.map((row) => row.id);
    },
    async wasAutoReplied(customerId, since) {
      // Ids sort by time, so that the index on customers finds his latest ones alone.
      const row = await sql.get(
        `SELECT 1 AS x FROM messages WHERE customer_id = ? AND id >= ? AND direction = 'outbound'
           AND automatic = 'auto_reply' AND received_at > ? LIMIT 1`,
        customerId,
        firstId('msg', since),
        since,
      );
      return row !== undefined;
    },
    async repointThreads(from, to) {
      await sql.alone();
      recent.forget();
      await sql.run('UPDATE threads SET ticket_id = ? WHERE ticket_id = ?', to, from);
    },
  };
}

/** A tag as it is looked for. */
export function folded(tag: string): string {
  return tag.toLowerCase();
}

const CONVERSATION =
  'm.ticket_id = ? AND m.endpoint_id = ? AND m.seq < ? AND (CAST(? AS TEXT) IS NULL OR m.thread_id = ?)';

function conversation(ticketId: string, endpointId: string, { thread, beforeSeq }: Conversation): Value[] {
  return [ticketId, endpointId, beforeSeq ?? Number.MAX_SAFE_INTEGER, thread ?? null, thread ?? null];
}

const NEXT_SEQ = `UPDATE tickets SET last_seq = last_seq + 1, version = version + 1, updated_at = ?,
    message_count = message_count + ?,
    last_message_at = CASE WHEN ? = 1 THEN ? ELSE last_message_at END,
    last_inbound_at = CASE WHEN ? = 'inbound' THEN ? ELSE last_inbound_at END
  WHERE id = ?`;

/** The only columns that a patch may name; its keys never reach the SQL text. */
const COLUMNS: Readonly<Record<keyof TicketPatch, string>> = {
  subject: 'subject',
  status: 'status',
  priority: 'priority',
  customerId: 'customer_id',
  assignee: 'assignee',
  team: 'team',
  tags: 'tags',
  fields: 'fields',
  language: 'language',
  mergedInto: 'merged_into',
  closedAt: 'closed_at',
  channelId: 'channel_id',
};

function toValue(value: TicketPatch[keyof TicketPatch]): Value {
  return typeof value === 'object' ? toJson(value) : (value ?? null);
}

function ticketOf(row: Row | undefined): TicketRow | undefined {
  if (!row) return undefined;
  const column = <T>(name: string) => row[name] as T;
  return {
    id: column('id'),
    number: column('number'),
    subject: column('subject'),
    status: column('status'),
    priority: column('priority'),
    channelId: column('channel_id'),
    customerId: column('customer_id'),
    assignee: column('assignee'),
    team: column('team'),
    tags: fromJson<string[]>(row['tags']) ?? [],
    fields: fromJson<Record<string, string>>(row['fields']) ?? {},
    language: column('language'),
    lastSeq: column('last_seq'),
    version: column('version'),
    createdAt: column('created_at'),
    updatedAt: column('updated_at'),
    lastInboundAt: column('last_inbound_at'),
    closedAt: column('closed_at'),
    mergedInto: column('merged_into'),
  };
}
