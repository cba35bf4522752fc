import { ConflictError, NotFoundError, PermanentError } from '../core/errors.ts';
import type { CanReply } from '../core/connector.ts';
import type { Desk, Endpoint, NewReply } from '../core/gateway.ts';
import type { NewId } from '../core/id.ts';
import type { MessageRow, TicketRow } from '../core/rows.ts';
import type { Store, Transaction } from '../core/store.ts';
import type { Message, Ticket } from '../core/ticket.ts';
import { carryOut } from './act.ts';
import type { AnnounceDeps, Announcer } from './announce.ts';
import { cleanLine, cleanText, fileName } from './canonical.ts';
import { fillTemplate, templateNeeded } from './template.ts';

export interface AnswerDeps extends AnnounceDeps {
  readonly newId: NewId;
  readonly store: Store;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  readonly announced: (due: readonly { id: string; endpointId: string }[]) => void;
}

/** Largest file that an agent may attach, bytes. */
const MAX_FILE = 25 * 1024 * 1024;

/** Finds the channel that an answer goes through. */
export function createChannelChoice(deps: Pick<AnswerDeps, 'store' | 'endpointOf'>) {
  const { store } = deps;

  /** Channels that the ticket's customer wrote through, the last one first, and whether each can answer now. */
  async function replyChannels(ticketId: string) {
    const ticket = await store.read.ticket(ticketId);
    if (!ticket) throw new NotFoundError(`there is no ticket ${ticketId}`);
    const { data } = await store.read.timeline(ticket.customer.id, { limit: 200 });
    const lastInbound = new Map<string, Message | undefined>();
    for (const message of data) {
      if (message.direction !== 'inbound' || !message.channel || message.ticketId !== ticketId) continue;
      if (!lastInbound.has(message.channel.id)) lastInbound.set(message.channel.id, message);
    }
    if (!lastInbound.has(ticket.channel.id)) lastInbound.set(ticket.channel.id, undefined);
    return Promise.all(
      [...lastInbound].map(async ([channel, answers]) => ({
        channel,
        type: deps.endpointOf(channel)?.type ?? 'unknown',
        ...(await canReply(deps.endpointOf(channel), ticket, answers)),
      })),
    );
  }

  /** The channel that was named, else the first one that takes such an answer now. */
  async function chooseChannel(ticketId: string, { channel: wanted, template }: NewReply) {
    const channels = await replyChannels(ticketId);
    const takes = ({ allowed, templates }: CanReply) =>
      template ? templates?.some(({ id }) => id === template.id) : allowed;
    const choice =
      wanted === undefined ? (channels.find(takes) ?? channels[0]) : channels.find((each) => each.channel === wanted);
    if (!choice) {
      throw new ConflictError(`the customer never wrote through ${wanted ?? 'any channel'}`, {
        hint: `Use one of: ${channels.map((each) => each.channel).join(', ')}.`,
      });
    }
    return choice;
  }

  return { replyChannels, chooseChannel };
}

/** Answers and notes of agents. */
export function createAnswers(deps: AnswerDeps): Pick<Desk, 'reply' | 'note' | 'replyChannels'> {
  const { store } = deps;
  const { replyChannels, chooseChannel } = createChannelChoice(deps);

  /** What goes out, and through which channel; throws where that doesn't take it now. */
  async function compose(ticketId: string, reply: NewReply) {
    const text = cleanText(reply.text ?? '');
    if (!reply.template && text.trim() === '' && !reply.attachments?.length)
      throw new PermanentError('an answer needs a text or a file');
    const choice = await chooseChannel(ticketId, reply);
    const { channel, allowed, reason, templates = [] } = choice;
    if (reply.template) return { channel, ...fillTemplate(choice, reply.template) };
    if (allowed) return { channel, text: bounded(choice, text) };
    if (templates.length > 0) throw templateNeeded(choice);
    throw new ConflictError(`${channel} can't answer: ${reason ?? 'not now'}`);
  }

  return {
    replyChannels,

    async reply(ticketId, reply, actor, once) {
      const { channel, ...said } = await compose(ticketId, reply);
      const files = await saveFiles(store, reply);
      return carryOut(deps, { actor, action: 'ticket.reply', target: ticketId, once }, async (tx, announcer) => {
        const ticket = await openTicket(tx, ticketId);
        const row = {
          kind: 'message',
          direction: 'outbound',
          ...said,
          html: reply.html,
          endpointId: channel,
          delivery: { state: 'waiting' },
          // Fixed now: whoever writes next must not get the answer that was meant for somebody else.
          thread: (await tx.lastInbound(ticketId, channel))?.thread ?? undefined,
        } as const;
        const { id: messageId, version } = await insertOutgoing(tx, ticket, row, actor, {
          newId: deps.newId,
          now: deps.clock.now(),
        });
        for (const file of files) {
          const rowId = deps.newId('att');
          await tx.insertAttachment({ ...file, id: rowId, rowId, messageId, state: 'stored' });
        }
        await announcer.task({ kind: 'reply', type: 'reply', endpointId: channel, ticketId, messageId });
        await announcer.change({ type: 'ticket.updated', version, ticketId, messageId }, { ticket, kind: 'message' });
        await firstAnswer(tx, announcer, ticket, { now: deps.clock.now() });
        return { messageId };
      });
    },

    async note(ticketId, note, actor, once) {
      const text = cleanText(note.text);
      if (text.trim() === '') throw new PermanentError('a note needs a text');
      return carryOut(deps, { actor, action: 'ticket.note', target: ticketId, once }, async (tx, announcer) => {
        const ticket = await openTicket(tx, ticketId);
        const row = {
          kind: 'note',
          direction: 'outbound',
          text,
          html: undefined,
          endpointId: null,
          delivery: null,
        } as const;
        const { id: messageId, version } = await insertOutgoing(tx, ticket, row, actor, {
          newId: deps.newId,
          now: deps.clock.now(),
        });
        await announcer.change({ type: 'note.created', version, ticketId, messageId }, { ticket, kind: 'note' });
        return { messageId };
      });
    },
  };
}

/** Files what goes out, or is only noted down, at the end of a ticket. `actor` is whom it is from. */
export async function insertOutgoing(
  tx: Transaction,
  ticket: TicketRow,
  message: Pick<
    MessageRow,
    'kind' | 'direction' | 'text' | 'html' | 'endpointId' | 'delivery' | 'thread' | 'automatic' | 'template'
  > &
    Partial<Pick<MessageRow, 'id' | 'payloadId' | 'occurredAt'>>,
  actor: string,
  { newId, now }: { readonly newId: NewId; readonly now: number },
): Promise<{ id: string; version: number }> {
  const { seq, version } = await tx.nextSeq(ticket.id, now, message.kind === 'note' ? 'note' : 'outbound');
  const { id = newId('msg'), text, html, automatic, payloadId = null, occurredAt = now, ...given } = message;
  const row = {
    ...given,
    id,
    ticketId: ticket.id,
    seq,
    externalId: null,
    customerId: ticket.customerId,
    author: { name: actor, identifiers: [] },
    verified: true,
    receivedAt: now,
    deletedAt: null,
    rule: 'agent',
    evidence: actor,
    payloadId,
  } as const;
  await tx.insertMessage(row, { revision: 0, occurredAt, text, html, automatic, fields: {} });
  return { id, version };
}

/** Whether a channel can answer now, and why not. */
async function canReply(
  endpoint: Endpoint | undefined,
  ticket: Ticket,
  answers: Message | undefined,
): Promise<CanReply> {
  if (!endpoint?.channel) return { allowed: false, reason: endpoint?.problem ?? 'the channel is closed' };
  if (!endpoint.channel.reply) return { allowed: false, reason: `a channel of type ${endpoint.type} has no way back` };
  const lastInboundAt = Date.parse(answers?.occurredAt ?? ticket.createdAt);
  return (await endpoint.channel.canReply?.({ ticket, lastInboundAt, answers })) ?? { allowed: true };
}

/** Where the vendor takes no more, and nothing goes out in parts, whoever writes hears it at once. */
function bounded({ channel, longest = Infinity }: { readonly channel: string } & CanReply, text: string): string {
  if (text.length <= longest) return text;
  throw new PermanentError(`the answer has ${text.length} characters, and ${channel} takes ${longest}`);
}

/** A ticket that can be worked on. */
export async function openTicket(tx: Transaction, ticketId: string): Promise<TicketRow> {
  const ticket = await tx.ticket(ticketId);
  if (!ticket) throw new NotFoundError(`there is no ticket ${ticketId}`);
  if (ticket.mergedInto !== null) {
    throw new ConflictError(`the ticket was merged into ${ticket.mergedInto}`, { hint: 'Work on that one.' });
  }
  return ticket;
}

/** A new ticket is open once somebody answers it. */
export async function firstAnswer(
  tx: Transaction,
  announcer: Announcer,
  ticket: TicketRow,
  { now, at = now, origin }: { readonly now: number; readonly at?: number; readonly origin?: string },
): Promise<void> {
  if (ticket.status !== 'new') return;
  const version = await tx.setStatus(ticket.id, { status: 'open', closedAt: null, setAt: Math.min(at, now) }, now);
  if (version === undefined) return;
  await announcer.change(
    { type: 'ticket.status_changed', version, ticketId: ticket.id, extra: { from: 'new', to: 'open' } },
    { ticket: { ...ticket, status: 'open' }, origin },
  );
}

async function saveFiles(store: Store, reply: NewReply) {
  const files = [];
  for (const { name, mediaType, content } of reply.attachments ?? []) {
    const { sha256, size } = await store.blobs.save(content, MAX_FILE);
    files.push({ name: fileName(name), mediaType: cleanLine(mediaType), sha256, size });
  }
  return files;
}
