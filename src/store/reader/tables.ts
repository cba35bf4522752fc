import type { TicketRow } from '../../core/rows.ts';
import type { ChangeType, LedgerEvent, Message, TaskState } from '../../core/ticket.ts';

/** The tables of `../schema.ts`, as far as they are read here. Ids and times as everywhere; 1 and 0 for yes and no. */

type Text = string | null;
type Time = number | null;

export interface PayloadColumns {
  id: string;
  endpoint_id: string;
  received_at: number;
  method: string;
  url: string;
  headers: string;
  remote_address: Text;
  body: Uint8Array | null;
  blob: Text;
  same_as: Text;
  units: number;
}

export interface EventColumns {
  id: string;
  payload_id: string;
  item: number;
  endpoint_id: string;
  outcome: LedgerEvent['outcome'];
  reason: Text;
  external_id: Text;
  ticket_id: Text;
  message_id: Text;
  received_at: number;
  replay_of: Text;
}

export interface MessageColumns {
  id: string;
  ticket_id: Text;
  seq: number;
  endpoint_id: Text;
  external_id: Text;
  customer_id: Text;
  kind: Message['kind'];
  direction: Message['direction'];
  author: string;
  verified: number;
  revision: number;
  occurred_at: number;
  received_at: number;
  subject: Text;
  text: string;
  text_full: Text;
  html: Text;
  fields: Text;
  automatic: Message['automatic'];
  review: Text;
  call: Text;
  deleted_at: Time;
  rule: Message['threadedBy']['rule'];
  evidence: string;
  delivery_state: NonNullable<Message['delivery']>['state'] | null;
  delivery_error: Text;
  payload_id: Text;
  template: Text;
}

export interface AttachmentColumns {
  id: string;
  message_id: string;
  external_id: string;
  name: string;
  media_type: string;
  size: number | null;
  inline: number;
  cid: Text;
  state: Message['attachments'][number]['state'];
  sha256: Text;
  payload_id: Text;
  error: Text;
}

export interface CustomerColumns {
  id: string;
  name: Text;
  locale: Text;
  version: number;
  created_at: number;
  updated_at: number;
  merged_into: Text;
}

export interface TicketColumns {
  id: string;
  number: number;
  subject: string;
  status: TicketRow['status'];
  priority: TicketRow['priority'];
  channel_id: string;
  customer_id: string;
  assignee: Text;
  team: Text;
  tags: string;
  fields: string;
  language: Text;
  message_count: number;
  last_seq: number;
  version: number;
  created_at: number;
  updated_at: number;
  last_message_at: Time;
  last_inbound_at: Time;
  closed_at: Time;
  merged_into: Text;
}

export interface ChangeColumns {
  seq: number;
  type: ChangeType;
  at: number;
  version: number;
  ticket_id: Text;
  message_id: Text;
  customer_id: Text;
  extra: Text;
}

export interface TaskColumns {
  id: string;
  kind: string;
  type: string;
  endpoint_id: string;
  ticket_id: Text;
  message_id: Text;
  state: TaskState;
  attempts: number;
  due_at: Time;
  lease_until: Time;
  replay_at: Time;
  created_at: number;
  updated_at: number;
}

export interface AttemptColumns {
  task_id: string;
  number: number;
  started_at: number;
  ended_at: Time;
  outcome: string;
  error: Text;
  hint: Text;
  request: Text;
  response: Text;
}

export interface Tables {
  payloads: PayloadColumns;
  events: EventColumns;
  messages: MessageColumns;
  attachments: AttachmentColumns;
  revisions: { message_id: string; revision: number; content: string; at: number };
  reactions: { message_id: string; author: string; emoji: string; at: number };
  customers: CustomerColumns;
  identifiers: {
    kind: string;
    value: string;
    trust: 'verified' | 'observed';
    customer_id: string;
    first_seen_at: number;
  };
  claims: { kind: string; value: string; customer_id: string; first_seen_at: number };
  merges: {
    id: string;
    kind: 'merge' | 'split' | 'apart';
    winner: string;
    loser: string;
    evidence: string;
    at: number;
    undone_at: Time;
  };
  tickets: TicketColumns;
  ticket_tags: { tag: string; ticket_id: string; name: string };
  threads: { endpoint_id: string; external_id: string; ticket_id: string; shared: number };
  changes: ChangeColumns;
  tasks: TaskColumns;
  attempts: AttemptColumns;
  links: { destination_id: string; ticket_id: string; external_id: string; url: Text; at: number };
  endpoints: {
    id: string;
    role: 'channel' | 'destination';
    type: string;
    name: string;
    enabled: number;
    auto_reply: Text;
    sealed: Uint8Array;
    at: number;
  };
  endpoint_states: {
    endpoint_id: string;
    paused_until: Time;
    pause_reason: Text;
    needs_reauth: number;
    disabled_at: Time;
    failures: number;
    last_out_at: Time;
    last_error: Text;
    last_error_at: Time;
    poll_cursor: Text;
    in_failures: number;
    in_needs_reauth: number;
    in_error: Text;
    in_error_at: Time;
    quarantined_at: Time;
    reconciled_at: Time;
    missed: number;
    holder: Text;
  };
  processes: { id: string; beat: number };
  endpoint_secrets: { endpoint_id: string; name: string; sealed: Uint8Array };
  routes: { id: string; position: number; definition: string; at: number };
  api_keys: {
    id: string;
    name: string;
    prefix: string;
    hash: string;
    scopes: string;
    created_at: number;
    last_used_at: Time;
    revoked_at: Time;
  };
  users: { id: string; name: string; role: 'admin' | 'agent'; at: number };
  sessions: { hash: string; user_id: string; created_at: number; expires_at: number };
  idempotent: { key: string; request: string; status: number; body: string; at: number };
  audit: { seq: number; at: number; actor: string; action: string; target: string; detail: Text };
  counts: { hour: number; measure: string; endpoint_id: string; step: number; total: number };
  counters: { name: string; value: number };
}
