import { sql } from 'kysely';
import { z } from 'zod';
import type { Reader } from '../../core/reader.ts';
import type { MessageContent } from '../../core/rows.ts';
import { toTime, type Message } from '../../core/ticket.ts';
import { attachmentOf } from '../attachments.ts';
import { fromJson } from '../sql.ts';
import type { Db } from './kysely.ts';
import { byId, cut, groupBy, keysOf, render, toCursor } from './page.ts';
import type { AttachmentColumns, MessageColumns } from './tables.ts';

export interface MessageSources {
  readonly db: Db;
  readonly typeOf: (endpointId: string) => string;
}

/** Most messages that a transcript takes: the last ones. */
const TRANSCRIPT = 200;

const bySeq = z.tuple([z.number()]);

export function messagesIn(sources: MessageSources): Pick<
  Reader,
  'messages' | 'message' | 'history' | 'timeline' | 'said' | 'undelivered' | 'attachment'
> & {
  readonly viewsOf: (ids: readonly string[]) => Promise<Map<string, Message>>;
} {
  const { db } = sources;
  return {
    async messages(ticketId, page) {
      const keys = keysOf('messages', bySeq, page.cursor);
      let query = db.selectFrom('messages').selectAll().where('ticket_id', '=', ticketId);
      if (keys) query = query.where('seq', '>', keys[0]);
      const rows = await query
        .orderBy('seq')
        .limit(page.limit + 1)
        .execute();
      return render(
        cut(rows, page, (row) => toCursor('messages', [row.seq])),
        (kept) => toViews(sources, kept),
      );
    },
    async message(id) {
      return (await toViews(sources, await db.selectFrom('messages').selectAll().where('id', '=', id).execute()))[0];
    },
    async history(messageId) {
      const rows = await db
        .selectFrom('revisions')
        .selectAll()
        .where('message_id', '=', messageId)
        .orderBy('revision')
        .orderBy('at')
        .execute();
      return rows.map(({ content, at }) => {
        const before = JSON.parse(content) as MessageContent;
        const { revision, occurredAt, subject = null, text, textFull = null, html = null, fields } = before;
        return { revision, at: toTime(at), occurredAt: toTime(occurredAt), subject, text, textFull, html, fields };
      });
    },
    async timeline(customerId, page) {
      const keys = keysOf('timeline', byId, page.cursor);
      let query = db.selectFrom('messages').selectAll().where('customer_id', '=', customerId);
      if (keys) query = query.where('id', '<', keys[0]);
      const rows = await query
        .orderBy('id', 'desc')
        .limit(page.limit + 1)
        .execute();
      return render(
        cut(rows, page, (row) => toCursor('timeline', [row.id])),
        (kept) => toViews(sources, kept),
      );
    },
    async said(endpointId, thread, page) {
      const keys = keysOf('said', byId, page.cursor);
      const rows = await saidRows(db, { endpointId, thread, ...page, before: keys?.[0] });
      return render(
        cut(rows, page, (row) => toCursor('said', [row.id])),
        async (kept) => {
          const views = await toViews(sources, kept);
          return views.map((message, index) => ({ key: kept[index]?.key ?? '', message }));
        },
      );
    },
    async undelivered(destinationId, ticketId, beforeMessage) {
      const rows = await undeliveredRows(db, destinationId, ticketId, beforeMessage);
      return toViews(sources, rows.reverse());
    },
    async attachment(id) {
      const row = await db
        .selectFrom('attachments')
        .innerJoin('messages', 'messages.id', 'attachments.message_id')
        .selectAll('attachments')
        .select(['messages.payload_id as first_payload_id', 'messages.endpoint_id'])
        .where('attachments.id', '=', id)
        .executeTakeFirst();
      return (
        row && { ...attachmentOf(row), payloadId: row.payload_id ?? row.first_payload_id, endpointId: row.endpoint_id }
      );
    },
    async viewsOf(ids) {
      if (ids.length === 0) return new Map();
      const views = await toViews(
        sources,
        await db.selectFrom('messages').selectAll().where('id', 'in', ids).execute(),
      );
      return new Map(views.map((view) => [view.id, view]));
    },
  };
}

/**
 * The last ones before `before`, newest first. What got through carried along what was missing before it, so only what
 * lies behind the last delivered message is missing. Without a link that is everything; with one it is what was meant
 * for this destination, since routes may have kept other messages from it. What is internal never comes along: whoever
 * reads the message that carries it may be the customer.
 */
async function undeliveredRows(db: Db, destination: string, ticket: string, before: string): Promise<MessageColumns[]> {
  const limit = sql`(SELECT seq FROM messages WHERE id = ${before} AND ticket_id = ${ticket})`;
  const tasks = sql`tasks t WHERE t.ticket_id = ${ticket} AND t.endpoint_id = ${destination} AND t.kind = 'deliver'
    AND t.attachment_id IS NULL AND t.type <> 'message.updated'`;
  const { rows } = await sql<MessageColumns>`
    SELECT m.* FROM messages m
    WHERE m.ticket_id = ${ticket} AND m.kind <> 'note' AND coalesce(m.delivery_state, '') <> 'failed'
      AND m.deleted_at IS NULL AND m.seq < ${limit}
      AND m.seq > (
        SELECT coalesce(max(reached.seq), 0) FROM messages reached
        WHERE reached.ticket_id = ${ticket} AND reached.seq < ${limit}
          AND reached.id IN (SELECT t.message_id FROM ${tasks} AND t.state = 'delivered'))
      AND (NOT EXISTS (SELECT 1 FROM links WHERE destination_id = ${destination} AND ticket_id = ${ticket})
        OR m.id IN (SELECT t.message_id FROM ${tasks}))
    ORDER BY m.seq DESC LIMIT ${TRANSCRIPT}`.execute(db);
  return rows;
}

/** By the two indexes that know external ids: `/` and the character behind it enclose the thread's. One more than the limit. */
async function saidRows(
  db: Db,
  where: {
    readonly endpointId: string;
    readonly thread: string;
    readonly limit: number;
    readonly before: string | undefined;
    readonly message?: string;
  },
): Promise<(MessageColumns & { readonly key: string })[]> {
  const { endpointId, thread, before, message, limit } = where;
  const named = sql`endpoint_id = ${endpointId} AND external_id > ${`${thread}/`} AND external_id < ${`${thread}0`}`;
  const { rows } = await sql<MessageColumns & { readonly external: string }>`
    SELECT m.*, named.external FROM (
      SELECT id, external_id AS external FROM messages WHERE ${named}
      UNION ALL SELECT message_id AS id, external_id AS external FROM parts WHERE ${named}) named
    JOIN messages m ON m.id = named.id
    WHERE m.deleted_at IS NULL ${before === undefined ? sql`` : sql`AND m.id < ${before}`}
      ${message === undefined ? sql`` : sql`AND m.id = ${message}`}
    ORDER BY m.id DESC LIMIT ${limit + 1}`.execute(db);
  return rows.map(({ external, ...row }) => ({ ...row, key: external.slice(thread.length + 1) }));
}

async function toViews({ db, typeOf }: MessageSources, rows: readonly MessageColumns[]): Promise<Message[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const attachments = await db
    .selectFrom('attachments')
    .selectAll()
    .where('message_id', 'in', ids)
    .orderBy('id')
    .execute();
  const reactions = await db.selectFrom('reactions').selectAll().where('message_id', 'in', ids).orderBy('at').execute();
  const attachmentsOf = groupBy(attachments, (attachment) => attachment.message_id);
  const reactionsOf = groupBy(reactions, (reaction) => reaction.message_id);
  return rows.map((row) => ({
    ...contentOf(row),
    channel: row.endpoint_id === null ? null : { id: row.endpoint_id, type: typeOf(row.endpoint_id) },
    attachments: (attachmentsOf.get(row.id) ?? []).map(toAttachment),
    reactions: (reactionsOf.get(row.id) ?? []).map(({ author, emoji }) => ({ author, emoji })),
  }));
}

function contentOf(row: MessageColumns): Omit<Message, 'channel' | 'attachments' | 'reactions'> {
  const author = fromJson<{ name?: string; identifiers: Message['author']['identifiers'] }>(row.author);
  return {
    id: row.id,
    ticketId: row.ticket_id,
    kind: row.kind,
    direction: row.direction,
    author: { name: author?.name ?? null, identifiers: author?.identifiers ?? [] },
    verified: row.verified === 1,
    subject: row.subject,
    text: row.text,
    textFull: row.text_full,
    html: row.html,
    call: fromJson<NonNullable<Message['call']>>(row.call) ?? null,
    review: fromJson<NonNullable<Message['review']>>(row.review) ?? null,
    fields: fromJson<Record<string, string>>(row.fields) ?? {},
    automatic: row.automatic,
    template: fromJson<NonNullable<Message['template']>>(row.template),
    externalId: row.external_id,
    revision: row.revision,
    occurredAt: toTime(row.occurred_at),
    receivedAt: toTime(row.received_at),
    deletedAt: row.deleted_at === null ? null : toTime(row.deleted_at),
    delivery: row.delivery_state === null ? null : { state: row.delivery_state, error: row.delivery_error },
    threadedBy: { rule: row.rule, evidence: row.evidence },
  };
}

function toAttachment(row: AttachmentColumns): Message['attachments'][number] {
  return {
    id: row.id,
    name: row.name,
    mediaType: row.media_type,
    size: row.size,
    state: row.state,
    error: row.error,
    inline: row.inline === 1,
    url: `/api/v1/attachments/${row.id}`,
  };
}
