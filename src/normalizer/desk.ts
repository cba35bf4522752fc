import { ConflictError, NotFoundError, PermanentError } from '../core/errors.ts';
import type { Desk, DeskPatch } from '../core/gateway.ts';
import type { MessageRow, TicketPatch, TicketRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import { isInternal, type ChangeType } from '../core/ticket.ts';
import { carryOut } from './act.ts';
import { createAnswers, openTicket, type AnswerDeps } from './answer.ts';
import type { Announcer } from './announce.ts';
import { cleanLine, cleanText, languageOf, toEmail, toPhone } from './canonical.ts';
import { createPeople } from './people.ts';
import { closedAt } from './status.ts';

/** The one way in for what agents do. Every act is in the audit log, in the same transaction. */
export function createDesk(deps: AnswerDeps & { readonly country: string | undefined }): Desk {
  const { clock, newId } = deps;

  async function customerFor(
    tx: Transaction,
    announcer: Announcer,
    customer: Parameters<Desk['createTicket']>[0]['customer'],
  ) {
    if ('id' in customer) return currentCustomer(tx, customer.id);
    const claims = customer.identifiers.map(({ kind, value }) => ({
      kind,
      value: canonicalValue(kind, value, deps.country),
    }));
    for (const { kind, value } of claims) {
      const known = await tx.identifier(kind, value);
      if (known) return known.customerId;
    }
    const id = newId('cus');
    await tx.insertCustomer({
      id,
      name: customer.name ? cleanLine(customer.name) : null,
      locale: null,
      at: clock.now(),
    });
    for (const { kind, value } of claims) await tx.saveClaim(id, kind, value, clock.now());
    await announcer.change({ type: 'customer.created', version: 1, customerId: id });
    return id;
  }

  const insertTicket = async (
    tx: Transaction,
    row: Pick<TicketRow, 'subject' | 'customerId' | 'channelId'> & Partial<TicketRow>,
  ) => {
    const id = row.id ?? newId('tkt');
    await tx.insertTicket({
      status: 'new',
      priority: 'normal',
      assignee: null,
      team: null,
      tags: [],
      fields: {},
      language: null,
      ...row,
      id,
      createdAt: clock.now(),
    });
    const ticket = await tx.ticket(id);
    if (!ticket) throw new Error(`ticket ${id} is gone`);
    return ticket;
  };

  return {
    ...createAnswers(deps),
    ...createPeople(deps),

    async createTicket(ticket, actor, once) {
      const text = cleanText(ticket.text);
      const ticketId = newId('tkt');
      return carryOut(deps, { actor, action: 'ticket.create', target: ticketId, once }, async (tx, announcer) => {
        const customerId = await customerFor(tx, announcer, ticket.customer);
        const row = await insertTicket(tx, {
          id: ticketId,
          // Customers may see it, so the note says nothing in it.
          subject: cleanLine(ticket.subject ?? (await tx.customer(customerId))?.name ?? '') || 'Ticket',
          customerId,
          channelId: 'api',
          priority: ticket.priority ?? 'normal',
          tags: cleanTags(ticket.tags ?? []),
          fields: ticket.fields ?? {},
          language: languageOf(text) ?? null,
        });
        const now = clock.now();
        const { seq, version } = await tx.nextSeq(row.id, now, 'note');
        const messageId = newId('msg');
        const note = {
          id: messageId,
          ticketId: row.id,
          seq,
          endpointId: null,
          externalId: null,
          customerId,
          kind: 'note',
          direction: 'outbound',
          author: { name: actor, identifiers: [] },
          verified: true,
          receivedAt: now,
          deletedAt: null,
          rule: 'agent',
          evidence: `entered by ${actor}`,
          delivery: null,
          payloadId: null,
        } as const;
        await tx.insertMessage(note, { revision: 0, occurredAt: now, text, fields: {} });
        const change = { version, ticketId: row.id, messageId };
        await announcer.change({ type: 'ticket.created', ...change }, { ticket: row, kind: 'note' });
        await announcer.change({ type: 'note.created', ...change }, { ticket: row, kind: 'note' });
        return { ticketId };
      });
    },

    async updateTicket(ticketId, patch, actor, ifVersion) {
      await carryOut(deps, { actor, action: 'ticket.update', target: ticketId }, async (tx, announcer) => {
        const ticket = await openTicket(tx, ticketId);
        if (ifVersion !== undefined && ticket.version !== ifVersion) {
          throw new ConflictError(`the ticket is at version ${ticket.version}, not ${ifVersion}`, {
            hint: 'Read it again and repeat the change.',
          });
        }
        const clean = cleanPatch(patch, ticket, clock.now());
        const version = await tx.updateTicket(ticketId, clean, clock.now());
        const after = { ...ticket, ...clean, version };
        await announcer.change(
          { type: typeOf(patch, ticket), version, ticketId, extra: differences(ticket, patch, clean) },
          { ticket: after },
        );
      });
    },

    async mergeTickets(from, into, actor, once) {
      if (from === into) throw new PermanentError('a ticket cannot be merged into itself');
      await carryOut(deps, { actor, action: 'ticket.merge', target: from, once }, async (tx, announcer) => {
        const loser = await openTicket(tx, from);
        const winner = await openTicket(tx, into);
        const now = clock.now();
        await tx.moveMessages(await tx.messageIds(from), into, now);
        await tx.repointThreads(from, into);
        await tx.moveLinks(from, into);
        announcer.due.push(...(await tx.moveTasks(from, into, now)));
        const version = await tx.updateTicket(from, { status: 'closed', closedAt: now, mergedInto: into }, now);
        await announcer.change({ type: 'ticket.merged', version, ticketId: from, extra: { into } }, { ticket: loser });
        const winnerVersion = await tx.updateTicket(into, {}, now);
        await announcer.change(
          { type: 'ticket.updated', version: winnerVersion, ticketId: into, extra: { mergedFrom: from } },
          { ticket: winner },
        );
      });
    },

    async splitTicket(ticketId, messages, actor, once) {
      return carryOut(deps, { actor, action: 'ticket.split', target: ticketId, once }, async (tx, announcer) => {
        const ticket = await openTicket(tx, ticketId);
        const all = await tx.messageIds(ticketId);
        const chosen = all.filter((id) => messages.includes(id));
        if (chosen.length !== new Set(messages).size) throw new NotFoundError('a message is not of this ticket');
        if (chosen.length === all.length) throw new PermanentError('a split must leave a message in the ticket');
        const first = chosen[0] === undefined ? undefined : await tx.message(chosen[0]);
        if (!first) throw new PermanentError('a split needs a message');
        const row = await insertTicket(tx, {
          subject: subjectFrom(first) ?? ticket.subject,
          customerId: first.customerId ?? ticket.customerId,
          channelId: first.endpointId ?? ticket.channelId,
          language: ticket.language,
        });
        await tx.moveMessages(chosen, row.id, clock.now());
        const version = await tx.updateTicket(row.id, {}, clock.now());
        await announcer.change(
          { type: 'ticket.created', version, ticketId: row.id, messageId: first.id, extra: { splitFrom: ticketId } },
          { ticket: row },
        );
        const rest = await tx.updateTicket(ticketId, {}, clock.now());
        await announcer.change(
          { type: 'ticket.updated', version: rest, ticketId, extra: { splitInto: row.id } },
          { ticket },
        );
        return { ticketId: row.id };
      });
    },
  };
}

/** Customers may see the subject of a ticket: nothing internal gives it its words. */
function subjectFrom(message: MessageRow): string | undefined {
  if (isInternal(message)) return undefined;
  return message.subject ?? (cleanLine(message.text.slice(0, 80)) || undefined);
}

/** The customer himself, or whom he was joined into. */
async function currentCustomer(tx: Transaction, id: string): Promise<string> {
  const row = await tx.customer(id);
  if (!row) throw new NotFoundError(`there is no customer ${id}`);
  return row.mergedInto === null ? row.id : currentCustomer(tx, row.mergedInto);
}

function canonicalValue(kind: string, value: string, country: string | undefined): string {
  if (kind === 'email') return toEmail(value) ?? cleanLine(value);
  return kind === 'phone' ? (toPhone(value, country) ?? cleanLine(value)) : cleanLine(value);
}

function cleanPatch(patch: DeskPatch, ticket: TicketRow, now: number): TicketPatch {
  const clean: { -readonly [K in keyof TicketPatch]: TicketPatch[K] } = { ...patch };
  if (patch.subject !== undefined) clean.subject = cleanLine(patch.subject);
  if (patch.tags !== undefined) clean.tags = cleanTags(patch.tags);
  if (patch.assignee) clean.assignee = cleanLine(patch.assignee) || null;
  if (patch.team) clean.team = cleanLine(patch.team) || null;
  if (patch.status !== undefined && patch.status !== ticket.status) {
    clean.closedAt = closedAt(patch.status, now);
  }
  return clean;
}

/** Each once, whether in small or capital letters. */
function cleanTags(tags: readonly string[]): readonly string[] {
  const names = tags.map(cleanLine).filter(Boolean);
  return names.filter((name, at) => names.findIndex((other) => other.toLowerCase() === name.toLowerCase()) === at);
}

/** The event that says most about a patch: status before assignee before the rest. */
function typeOf(patch: DeskPatch, ticket: TicketRow): ChangeType {
  if (patch.status !== undefined && patch.status !== ticket.status) return 'ticket.status_changed';
  return patch.assignee !== undefined || patch.team !== undefined ? 'ticket.assigned' : 'ticket.updated';
}

/** What a patch changed, as it was stored. */
function differences(ticket: TicketRow, patch: DeskPatch, clean: TicketPatch): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  for (const name of Object.keys(patch) as (keyof DeskPatch)[]) {
    if (JSON.stringify(ticket[name]) !== JSON.stringify(clean[name]))
      changes[name] = { from: ticket[name], to: clean[name] };
  }
  return 'status' in changes ? { ...(changes['status'] as object), changes } : { changes };
}
