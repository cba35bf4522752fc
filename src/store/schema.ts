/** One step from one released schema to the next, in one transaction. */
export interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
}

/**
 * The schema, one text for both databases, in three column types: TEXT, BIGINT, BYTEA. Ids are made by
 * the program and sort by time; times are epoch milliseconds; yes and no are 1 and 0. What was released
 * is never edited: a change is a new entry at the end.
 */
export const migrations: readonly Migration[] = [
  {
    name: '0001 spine',
    statements: [
      // What was received. `body` is absent where the bytes are a blob or stand in an earlier payload.
      `CREATE TABLE payloads (
        id TEXT PRIMARY KEY, endpoint_id TEXT NOT NULL, received_at BIGINT NOT NULL, method TEXT NOT NULL,
        url TEXT NOT NULL, headers TEXT NOT NULL, remote_address TEXT, body BYTEA,
        blob TEXT, same_as TEXT, units BIGINT NOT NULL)`,
      `CREATE INDEX payloads_by_time ON payloads (received_at)`,
      `CREATE INDEX payloads_with_bytes ON payloads (received_at) WHERE body IS NOT NULL OR blob IS NOT NULL`,
      `CREATE INDEX payloads_by_blob ON payloads (blob) WHERE blob IS NOT NULL`,
      `CREATE INDEX payloads_by_first ON payloads (same_as) WHERE same_as IS NOT NULL`,

      // The ledger.
      `CREATE TABLE events (
        id TEXT PRIMARY KEY, payload_id TEXT NOT NULL, item BIGINT NOT NULL, endpoint_id TEXT NOT NULL,
        outcome TEXT NOT NULL, reason TEXT, external_id TEXT, ticket_id TEXT, message_id TEXT,
        received_at BIGINT NOT NULL, replay_of TEXT)`,
      `CREATE INDEX events_by_payload ON events (payload_id)`,
      `CREATE INDEX events_by_endpoint ON events (endpoint_id, id)`,
      `CREATE INDEX events_unfiled ON events (outcome, id) WHERE outcome IN ('rejected', 'quarantined')`,
      `CREATE TABLE early (endpoint_id TEXT NOT NULL, external_id TEXT NOT NULL, item TEXT NOT NULL, at BIGINT NOT NULL)`,
      `CREATE INDEX early_by_message ON early (endpoint_id, external_id)`,
      `CREATE INDEX early_by_time ON early (at)`,

      // Messages. (endpoint_id, external_id) is the dedupe key and outlives everything. Only a call may be in no ticket.
      `CREATE TABLE messages (
        id TEXT PRIMARY KEY, ticket_id TEXT, seq BIGINT NOT NULL, endpoint_id TEXT, external_id TEXT,
        customer_id TEXT, kind TEXT NOT NULL, direction TEXT NOT NULL, author TEXT NOT NULL, verified BIGINT NOT NULL,
        revision BIGINT NOT NULL, occurred_at BIGINT NOT NULL, received_at BIGINT NOT NULL, subject TEXT, text TEXT NOT NULL,
        text_full TEXT, html TEXT, fields TEXT, automatic TEXT, review TEXT, call TEXT, deleted_at BIGINT,
        rule TEXT NOT NULL, evidence TEXT NOT NULL, delivery_state TEXT, delivery_error TEXT, payload_id TEXT, thread_id TEXT,
        template TEXT)`,
      `CREATE UNIQUE INDEX messages_once ON messages (endpoint_id, external_id)`,
      `CREATE INDEX messages_by_ticket ON messages (ticket_id, seq)`,
      `CREATE INDEX messages_by_customer ON messages (customer_id, id)`,
      `CREATE TABLE revisions (
        message_id TEXT NOT NULL, revision BIGINT NOT NULL, content TEXT NOT NULL, at BIGINT NOT NULL)`,
      `CREATE INDEX revisions_by_message ON revisions (message_id)`,
      `CREATE TABLE attachments (
        id TEXT PRIMARY KEY, message_id TEXT NOT NULL, external_id TEXT NOT NULL, name TEXT NOT NULL,
        media_type TEXT NOT NULL, size BIGINT, inline BIGINT NOT NULL, cid TEXT, state TEXT NOT NULL, sha256 TEXT,
        payload_id TEXT, error TEXT, recorded_at BIGINT)`,
      `CREATE INDEX attachments_recorded ON attachments (recorded_at) WHERE recorded_at IS NOT NULL`,
      `CREATE INDEX attachments_by_message ON attachments (message_id)`,
      `CREATE INDEX attachments_by_blob ON attachments (sha256) WHERE sha256 IS NOT NULL`,
      // Of an answer that went out in several, or of an album that came in several: those have a group and a content.
      `CREATE TABLE parts (
        endpoint_id TEXT NOT NULL, external_id TEXT NOT NULL, message_id TEXT NOT NULL, at BIGINT NOT NULL,
        group_key TEXT, content TEXT,
        PRIMARY KEY (endpoint_id, external_id))`,
      `CREATE INDEX parts_by_message ON parts (message_id)`,
      `CREATE INDEX parts_by_group ON parts (endpoint_id, group_key) WHERE group_key IS NOT NULL`,
      `CREATE TABLE reactions (
        message_id TEXT NOT NULL, author TEXT NOT NULL, emoji TEXT NOT NULL, at BIGINT NOT NULL,
        PRIMARY KEY (message_id, author))`,

      // People. An identifier has one owner; a claim may be anybody's.
      `CREATE TABLE customers (
        id TEXT PRIMARY KEY, name TEXT, locale TEXT, version BIGINT NOT NULL, created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL, merged_into TEXT, asked_at BIGINT)`,
      `CREATE TABLE identifiers (
        kind TEXT NOT NULL, value TEXT NOT NULL, trust TEXT NOT NULL, customer_id TEXT NOT NULL,
        first_seen_at BIGINT NOT NULL, PRIMARY KEY (kind, value))`,
      `CREATE INDEX identifiers_by_customer ON identifiers (customer_id)`,
      `CREATE TABLE claims (
        kind TEXT NOT NULL, value TEXT NOT NULL, customer_id TEXT NOT NULL, first_seen_at BIGINT NOT NULL,
        PRIMARY KEY (kind, value, customer_id))`,
      `CREATE INDEX claims_by_customer ON claims (customer_id)`,
      `CREATE TABLE merges (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, winner TEXT NOT NULL, loser TEXT NOT NULL, evidence TEXT NOT NULL,
        moved TEXT NOT NULL, at BIGINT NOT NULL, undone_at BIGINT)`,
      `CREATE INDEX merges_by_winner ON merges (winner)`,
      `CREATE INDEX merges_by_loser ON merges (loser)`,

      // Tickets. `threads` points at the current ticket of a vendor's thread.
      `CREATE TABLE tickets (
        id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, subject TEXT NOT NULL, status TEXT NOT NULL,
        priority TEXT NOT NULL, channel_id TEXT NOT NULL, customer_id TEXT NOT NULL, assignee TEXT, team TEXT,
        tags TEXT NOT NULL, fields TEXT NOT NULL, language TEXT, message_count BIGINT NOT NULL, last_seq BIGINT NOT NULL,
        version BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, last_message_at BIGINT,
        last_inbound_at BIGINT, closed_at BIGINT, merged_into TEXT, status_at BIGINT)`,
      // Every message moves its ticket in each index that holds a time: a ticket that nobody has taken stands in one.
      `CREATE INDEX tickets_unassigned ON tickets (status, updated_at, id) WHERE assignee IS NULL`,
      `CREATE INDEX tickets_assigned ON tickets (status, updated_at, id) WHERE assignee IS NOT NULL`,
      `CREATE INDEX tickets_by_assignee ON tickets (assignee, status, updated_at, id) WHERE assignee IS NOT NULL`,
      `CREATE INDEX tickets_by_team ON tickets (team, status, updated_at, id) WHERE team IS NOT NULL`,
      // The others only tell where few tickets lie: see `ticket-lists.ts`.
      `CREATE INDEX tickets_by_customer ON tickets (customer_id)`,
      `CREATE INDEX tickets_by_channel ON tickets (channel_id, status)`,
      `CREATE INDEX tickets_by_priority ON tickets (priority, status) WHERE priority <> 'normal'`,
      // Of `tickets.tags`: `tag` is `name` in small letters.
      `CREATE TABLE ticket_tags (
        tag TEXT NOT NULL, ticket_id TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (tag, ticket_id))`,
      `CREATE INDEX ticket_tags_by_ticket ON ticket_tags (ticket_id)`,
      `CREATE TABLE threads (
        endpoint_id TEXT NOT NULL, external_id TEXT NOT NULL, ticket_id TEXT NOT NULL,
        shared BIGINT NOT NULL, PRIMARY KEY (endpoint_id, external_id))`,
      `CREATE INDEX threads_by_ticket ON threads (ticket_id)`,

      // The change feed, in commit order.
      `CREATE TABLE changes (
        seq BIGINT PRIMARY KEY, type TEXT NOT NULL, at BIGINT NOT NULL, version BIGINT NOT NULL, ticket_id TEXT,
        message_id TEXT, customer_id TEXT, extra TEXT)`,

      // The outbox. A line is (endpoint_id, ticket_id) in the order of `place`; `due_at` is absent until a task is its head.
      `CREATE TABLE tasks (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, type TEXT NOT NULL, endpoint_id TEXT NOT NULL, ticket_id TEXT,
        place BIGINT NOT NULL DEFAULT 0, message_id TEXT, change_seq BIGINT, attachment_id TEXT, state TEXT NOT NULL, attempts BIGINT NOT NULL,
        tries BIGINT NOT NULL, interruptions BIGINT NOT NULL DEFAULT 0, uncertain BIGINT NOT NULL, due_at BIGINT, not_before BIGINT, lease_token TEXT, lease_until BIGINT,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, replay_at BIGINT)`,
      `CREATE INDEX tasks_in_line ON tasks (endpoint_id, ticket_id, place, id) WHERE state IN ('waiting', 'delivering')`,
      `CREATE INDEX tasks_due ON tasks (endpoint_id, due_at) WHERE state IN ('waiting', 'delivering') AND due_at IS NOT NULL`,
      `CREATE INDEX tasks_by_endpoint ON tasks (endpoint_id, id)`,
      `CREATE INDEX tasks_by_ticket ON tasks (ticket_id, id)`,
      `CREATE INDEX tasks_by_message ON tasks (message_id) WHERE message_id IS NOT NULL`,
      `CREATE INDEX tasks_by_file ON tasks (attachment_id) WHERE attachment_id IS NOT NULL`,
      `CREATE INDEX tasks_done ON tasks (updated_at, id) WHERE state = 'delivered'`,
      `CREATE INDEX tasks_to_replay ON tasks (endpoint_id, id) WHERE replay_at IS NOT NULL`,
      `CREATE INDEX tasks_set_aside ON tasks (state, id) WHERE state IN ('dead', 'needs_check')`,
      `CREATE INDEX tasks_failed ON tasks (updated_at) WHERE state IN ('dead', 'needs_check')`,
      `CREATE TABLE attempts (
        task_id TEXT NOT NULL, number BIGINT NOT NULL, started_at BIGINT NOT NULL, ended_at BIGINT, outcome TEXT NOT NULL,
        error TEXT, hint TEXT, request TEXT, response TEXT, PRIMARY KEY (task_id, number))`,
      `CREATE TABLE links (
        destination_id TEXT NOT NULL, ticket_id TEXT NOT NULL, external_id TEXT NOT NULL, url TEXT, at BIGINT NOT NULL,
        PRIMARY KEY (destination_id, ticket_id))`,
      `CREATE UNIQUE INDEX links_once ON links (destination_id, external_id)`,
      `CREATE INDEX links_by_ticket ON links (ticket_id)`,

      // What agents did in destinations: each is done once. `message_id` is what it said, if it said something.
      `CREATE TABLE actions (
        destination_id TEXT NOT NULL, external_id TEXT NOT NULL, message_id TEXT, at BIGINT NOT NULL,
        PRIMARY KEY (destination_id, external_id))`,
      `CREATE INDEX actions_by_message ON actions (message_id) WHERE message_id IS NOT NULL`,

      // Endpoints.
      `CREATE TABLE endpoints (
        id TEXT PRIMARY KEY, role TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, enabled BIGINT NOT NULL,
        auto_reply TEXT, sealed BYTEA NOT NULL, at BIGINT NOT NULL)`,
      `CREATE TABLE endpoint_states (
        endpoint_id TEXT PRIMARY KEY, paused_until BIGINT, pause_reason TEXT, needs_reauth BIGINT NOT NULL DEFAULT 0,
        disabled_at BIGINT, failures BIGINT NOT NULL DEFAULT 0, last_out_at BIGINT, last_error TEXT, last_error_at BIGINT,
        poll_cursor TEXT, in_failures BIGINT NOT NULL DEFAULT 0, in_needs_reauth BIGINT NOT NULL DEFAULT 0, in_error TEXT,
        in_error_at BIGINT, quarantined_at BIGINT, reconciled_at BIGINT, missed BIGINT NOT NULL DEFAULT 0,
        holder TEXT)`,
      `CREATE TABLE endpoint_secrets (
        endpoint_id TEXT NOT NULL, name TEXT NOT NULL, sealed BYTEA NOT NULL, PRIMARY KEY (endpoint_id, name))`,
      `CREATE TABLE routes (id TEXT PRIMARY KEY, position BIGINT NOT NULL, definition TEXT NOT NULL, at BIGINT NOT NULL)`,

      // Who works on this store. `holder` of an endpoint's state, and the beginning of a lease's token, is one of these.
      `CREATE TABLE processes (id TEXT PRIMARY KEY, beat BIGINT NOT NULL)`,

      // What reports are made of: see core/counts.ts.
      `CREATE TABLE counts (
        hour BIGINT NOT NULL, measure TEXT NOT NULL, endpoint_id TEXT NOT NULL, step BIGINT NOT NULL, total BIGINT NOT NULL,
        PRIMARY KEY (hour, measure, endpoint_id, step))`,

      // Access.
      `CREATE TABLE api_keys (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, prefix TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, scopes TEXT NOT NULL,
        created_at BIGINT NOT NULL, last_used_at BIGINT, revoked_at BIGINT)`,
      `CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, at BIGINT NOT NULL)`,
      `CREATE TABLE sessions (
        hash TEXT PRIMARY KEY, user_id TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL)`,
      `CREATE TABLE tokens (hash TEXT PRIMARY KEY, expires_at BIGINT NOT NULL)`,
      `CREATE TABLE idempotent (
        key TEXT PRIMARY KEY, request TEXT NOT NULL, status BIGINT NOT NULL, body TEXT NOT NULL, at BIGINT NOT NULL)`,
      `CREATE INDEX idempotent_by_time ON idempotent (at)`,
      `CREATE TABLE audit (
        seq BIGINT PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL,
        detail TEXT)`,
      `CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)`,
      `INSERT INTO counters (name, value) VALUES ('ticket', 1000)`,
    ],
  },
];
