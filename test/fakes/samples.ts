import type { Payload } from '../../src/core/payload.ts';
import type { Message, Ticket } from '../../src/core/ticket.ts';

const AT = '2026-11-22T10:00:00.000Z';

/** A payload as the host hands it over: header names in lower case, no prototype. */
export function samplePayload(
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  given: Partial<Payload> = {},
): Payload {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const bare = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) bare[name.toLowerCase()] = value;
  return {
    endpointId: 'sample',
    receivedAt: Date.parse(AT),
    method: 'POST',
    url: '/webhooks/sample',
    headers: bare,
    body: bytes,
    remoteAddress: '192.0.2.7',
    ...given,
  };
}

export function sampleTicket(given: Partial<Ticket> = {}): Ticket {
  return {
    id: 'tkt_1',
    number: 1001,
    subject: 'Order 4512',
    status: 'open',
    priority: 'normal',
    channel: { id: 'sample', type: 'webhook' },
    customer: { id: 'cus_1', name: 'Olena' },
    assignee: null,
    team: null,
    tags: [],
    fields: {},
    language: null,
    messageCount: 2,
    lastMessageAt: AT,
    createdAt: AT,
    updatedAt: AT,
    links: [],
    version: 3,
    mergedInto: null,
    ...given,
  };
}

/** An agent's answer, unless said otherwise. */
export function sampleMessage(given: Partial<Message> = {}): Message {
  return {
    id: 'msg_1',
    ticketId: 'tkt_1',
    kind: 'message',
    direction: 'outbound',
    channel: { id: 'sample', type: 'webhook' },
    author: { name: 'Agent', identifiers: [] },
    verified: true,
    subject: null,
    text: 'It comes tomorrow.',
    textFull: null,
    html: null,
    attachments: [],
    call: null,
    review: null,
    fields: {},
    reactions: [],
    automatic: null,
    externalId: null,
    revision: 0,
    occurredAt: AT,
    receivedAt: AT,
    deletedAt: null,
    delivery: null,
    threadedBy: { rule: 'agent', evidence: '' },
    ...given,
  };
}
