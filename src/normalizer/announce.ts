import type { Now } from '../core/clock.ts';
import type { RouteFacts, Target } from '../core/gateway.ts';
import type { NewId } from '../core/id.ts';
import type { ChangeRow, TaskKind, TaskRefRow, TicketRow } from '../core/rows.ts';
import type { Store, Transaction } from '../core/store.ts';
import type { ChangeType } from '../core/ticket.ts';

export interface AnnounceDeps {
  readonly newId: NewId;
  readonly clock: Now;
  /** Destinations for a change about a ticket; without facts, for one about a customer or the installation. */
  readonly targetsOf: (facts: RouteFacts | undefined) => readonly Target[];
}

/** What a change is about, for those who decide where it goes. */
interface About {
  readonly ticket: TicketRow;
  readonly kind?: string;
  /** Of the message. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  readonly origin?: string;
  /** Help desks don't hear of it. */
  readonly inside?: true | undefined;
  /** Not passed on before. */
  readonly dueAt?: number;
}

/** Writes of one transaction that others must hear of after its commit. */
export interface Announcer {
  /** Notes a change and adds the tasks that it causes. Resolves with its place in the feed. */
  readonly change: (row: Omit<ChangeRow, 'at'>, about?: About) => Promise<number>;
  task(row: {
    readonly kind: TaskKind;
    readonly type: string;
    readonly endpointId: string;
    readonly ticketId?: string;
    readonly messageId?: string;
    readonly changeSeq?: number;
    readonly attachmentId?: string;
    /** Null: once its file is there. */
    readonly dueAt?: number | null;
  }): Promise<void>;
  /** Tasks that may start now. */
  readonly due: TaskRefRow[];
}

/** Changes that carry a message to help desks which keep tickets of their own. */
const DELIVERED: ReadonlySet<ChangeType> = new Set([
  'message.received',
  'review.received',
  'call.missed',
  'call.ended',
  'message.sent',
  'message.failed',
  'note.created',
]);
const UPDATED: ReadonlySet<ChangeType> = new Set(['ticket.updated', 'ticket.status_changed', 'ticket.assigned']);

export function createAnnouncer(tx: Transaction, deps: AnnounceDeps): Announcer {
  const due: TaskRefRow[] = [];

  const task: Announcer['task'] = async (row) => {
    const now = deps.clock.now();
    const ref = await tx.insertTask(
      {
        id: deps.newId('tsk'),
        kind: row.kind,
        type: row.type,
        endpointId: row.endpointId,
        ticketId: row.ticketId ?? null,
        messageId: row.messageId ?? null,
        changeSeq: row.changeSeq ?? null,
        attachmentId: row.attachmentId ?? null,
        createdAt: now,
      },
      row.dueAt === undefined ? now : row.dueAt,
    );
    if (ref.due) due.push(ref);
  };

  return {
    due,
    task,
    async change(row, about) {
      const at = deps.clock.now();
      const changeSeq = await tx.insertChange({ ...row, at });
      for (const target of deps.targetsOf(about && factsOf(about, at))) {
        const kind = taskKindOf(target, row.type, about);
        if (!kind || (target.follows && !(await tx.isIn(target.id, row.ticketId ?? '')))) continue;
        await task({
          kind,
          type: row.type,
          endpointId: target.id,
          ticketId: row.ticketId,
          messageId: row.messageId,
          changeSeq,
          dueAt: about?.dueAt,
        });
      }
      return changeSeq;
    },
  };
}

function factsOf({ ticket, kind, fields }: About, at: number): RouteFacts {
  const { channelId: channel, language, priority, tags, customerId: customer } = ticket;
  const all = fields ? { ...ticket.fields, ...fields } : ticket.fields;
  return { channel, kind, language, priority, tags, customer, fields: all, at };
}

function taskKindOf(target: Target, type: ChangeType, about: About | undefined): TaskKind | undefined {
  if (target.id === about?.origin) return undefined;
  if (target.carries === 'events') return 'notify';
  if (about?.inside) return undefined;
  // A help desk hears of a call once, when it is over.
  if (about?.kind === 'call' && (type === 'message.received' || type === 'message.sent')) return undefined;
  if (DELIVERED.has(type)) return 'deliver';
  return UPDATED.has(type) ? 'update' : undefined;
}

/** A transaction whose announcements are handed on once it is durable. */
export async function writeAndAnnounce<T>(
  deps: AnnounceDeps & {
    readonly store: Pick<Store, 'write'>;
    readonly announced: (due: readonly TaskRefRow[]) => void;
  },
  locks: readonly string[],
  work: (tx: Transaction, announcer: Announcer) => Promise<T>,
): Promise<T> {
  let due: readonly TaskRefRow[] = [];
  const result = await deps.store.write(locks, async (tx) => {
    const announcer = createAnnouncer(tx, deps);
    const value = await work(tx, announcer);
    due = announcer.due;
    return value;
  });
  deps.announced(due);
  return result;
}
