import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIds, type NewId } from '../../src/core/id.ts';
import type { Reader } from '../../src/core/reader.ts';
import type {
  AttachmentRow,
  ChangeRow,
  EventRow,
  MessageRow,
  PayloadRow,
  Task,
  TicketRow,
} from '../../src/core/rows.ts';
import type { Blobs, Transaction } from '../../src/core/store.ts';
import { batonOf, newBaton } from '../../src/store/baton.ts';
import { createBlobs } from '../../src/store/blobs.ts';
import { createGroupCommit } from '../../src/store/group.ts';
import { migrate } from '../../src/store/migrate.ts';
import { kyselyOf, type Db } from '../../src/store/reader/kysely.ts';
import { createReader } from '../../src/store/reader/reader.ts';
import { createRecent } from '../../src/store/recent.ts';
import { transactionOf } from '../../src/store/transaction.ts';
import { everything } from '../../src/store/open-sqlite.ts';
import { createSearch, type Search } from '../../src/store/search.ts';
import { ensureSearch, sqliteDocuments } from '../../src/store/search-sqlite.ts';
import type { Sql } from '../../src/store/sql.ts';
import { configure, openDatabase, sqlOf, type Database } from '../../src/store/sqlite.ts';
import { fakeClock, type FakeClock } from './clock.ts';

/** The two sides of a store on a throw-away SQLite file, without what runs by itself in a real one. */
export interface TestDatabase {
  readonly folder: string;
  readonly clock: FakeClock;
  readonly newId: NewId;
  readonly sql: Sql;
  readonly tx: Transaction;
  readonly read: Reader;
  readonly search: Search;
  readonly blobs: Blobs;
  readonly db: Db;
  /** Texts of the queries since the last call. */
  queries(): string[];
  /** How SQLite goes about a query. */
  planOf(text: string): string[];
  /** Runs `work` in one transaction: quick for many rows. */
  bulk(work: () => Promise<void>): Promise<void>;
  /** Makes every write of the index fail, or not any more. */
  readonly failWrites: (error: Error | undefined) => void;
  /** Throws the index away and prepares it anew, as the next start would. */
  dropSearch(): Promise<void>;
  close(): Promise<void>;
}

export const TYPES: Readonly<Record<string, string>> = { contact: 'form', bot: 'telegram', bot2: 'telegram' };

export async function openTestDatabase(): Promise<TestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-test-'));
  const file = join(folder, 'test.db');
  const writer = openDatabase(file);
  configure(writer);
  migrate(writer, file);
  const reading = openDatabase(file);
  configure(reading);
  const texts: string[] = [];
  const recorded: Database = {
    exec: (text) => reading.exec(text),
    close: () => reading.close(),
    prepare: (text) => {
      const statement = reading.prepare(text);
      return {
        ...statement,
        run: (...values) => statement.run(...values),
        get: (...values) => statement.get(...values),
        columns: () => statement.columns(),
        all(...values) {
          texts.push(text);
          return statement.all(...values);
        },
      };
    },
  };
  const sql = sqlOf(writer);
  await ensureSearch(sql);
  const recent = createRecent();
  const group = createGroupCommit(writer, { recent, baton: batonOf(newBaton()) });
  const db = kyselyOf(recorded);
  let failure: Error | undefined;
  const search = createSearch({
    db,
    documents: sqliteDocuments,
    horizon: everything,
    write: (work) => (failure ? Promise.reject(failure) : group.submit(() => work(sql))),
  });
  const clock = fakeClock();
  const blobs = createBlobs(join(folder, 'blobs'), { clock });
  const read = createReader({ db, horizon: everything, search, blobs, typeOf: (id) => TYPES[id] ?? 'unknown' });
  return {
    folder,
    clock,
    newId: createIds(clock),
    sql,
    tx: transactionOf(sql, recent),
    read,
    search,
    blobs,
    db,
    queries: () => texts.splice(0),
    planOf: (text) =>
      reading
        .prepare(`EXPLAIN QUERY PLAN ${text}`)
        .all()
        .map((row) => (row as { detail: string }).detail),
    async bulk(work) {
      writer.exec('BEGIN');
      await work();
      writer.exec('COMMIT');
    },
    failWrites: (error) => {
      failure = error;
    },
    async dropSearch() {
      await sql.run('DROP TABLE search');
      await sql.run('DELETE FROM search_documents');
      await ensureSearch(sql);
    },
    async close() {
      await group.close();
      reading.close();
      writer.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Writes rows with everything left out that a test doesn't care about; each call lets a second pass. */
export function fill({ tx, clock, newId }: Pick<TestDatabase, 'tx' | 'clock' | 'newId'>) {
  const next = () => {
    clock.jump(1000);
    return clock.now();
  };
  return {
    async customer(name: string | null = 'Олена', identifiers: readonly string[] = []): Promise<string> {
      const at = next();
      const id = newId('cus');
      await tx.insertCustomer({ id, name, locale: 'uk', at });
      for (const identifier of identifiers) {
        const [kind = '', value = ''] = identifier.split('=');
        await tx.saveIdentifier({ kind, value, trust: 'verified', customerId: id }, at);
      }
      await tx.insertChange({ type: 'customer.created', at, version: 1, customerId: id });
      return id;
    },
    async ticket(customerId: string, given: Partial<TicketRow> = {}): Promise<string> {
      const at = next();
      const id = newId('tkt');
      await tx.insertTicket({
        id,
        subject: 'Доставка',
        status: 'new',
        priority: 'normal',
        channelId: 'contact',
        customerId,
        assignee: null,
        team: null,
        tags: [],
        fields: {},
        language: 'uk',
        createdAt: at,
        ...given,
      });
      await tx.insertChange({ type: 'ticket.created', at, version: 1, ticketId: id, customerId });
      return id;
    },
    async message(ticketId: string, given: Partial<MessageRow> = {}): Promise<string> {
      const at = next();
      const id = newId('msg');
      const direction = given.direction ?? 'inbound';
      const { seq } = await tx.nextSeq(ticketId, at, given.kind === 'note' ? 'note' : direction);
      const message: MessageRow = {
        id,
        ticketId,
        seq,
        endpointId: 'contact',
        externalId: id,
        customerId: null,
        kind: 'message',
        direction,
        author: { name: 'Олена', identifiers: [{ kind: 'email', value: 'olena@example.com', trust: 'verified' }] },
        verified: true,
        receivedAt: at,
        deletedAt: null,
        rule: 'new',
        evidence: 'nothing fitted',
        delivery: null,
        payloadId: null,
        revision: 0,
        occurredAt: at,
        text: 'Де моє замовлення?',
        fields: {},
        ...given,
      };
      await tx.insertMessage(message, message);
      await change({ type: 'message.received', ticketId, messageId: id });
      return id;
    },
    change,
    async payload(given: Partial<PayloadRow> = {}): Promise<string> {
      const id = newId('pay');
      await tx.savePayload({
        id,
        endpointId: 'contact',
        receivedAt: next(),
        method: 'POST',
        url: '/webhooks/contact',
        headers: { 'content-type': 'text/plain' },
        body: Buffer.from('hello'),
        units: 1,
        ...given,
      });
      return id;
    },
    async event(payloadId: string, given: Partial<EventRow> = {}): Promise<string> {
      const id = newId('evt');
      await tx.insertEvent({
        id,
        payloadId,
        item: 0,
        endpointId: 'contact',
        outcome: 'ticket_created',
        receivedAt: next(),
        ...given,
      });
      return id;
    },
    async task(given: Partial<Task> = {}, dueAt?: number): Promise<string> {
      const at = next();
      const id = newId('tsk');
      await tx.insertTask(
        {
          id,
          kind: 'deliver',
          endpointId: 'crm',
          ticketId: null,
          messageId: null,
          changeSeq: null,
          type: 'message.received',
          attachmentId: null,
          createdAt: at,
          ...given,
        },
        dueAt ?? at,
      );
      return id;
    },
    async attachment(messageId: string, given: Partial<AttachmentRow> = {}): Promise<string> {
      const rowId = newId('att');
      await tx.insertAttachment({
        rowId,
        messageId,
        id: 'file-1',
        name: 'a.pdf',
        mediaType: 'application/pdf',
        state: 'waiting',
        ...given,
      });
      return rowId;
    },
  };

  async function change(given: Partial<ChangeRow>): Promise<number> {
    return tx.insertChange({ type: 'ticket.updated', at: clock.now(), version: 1, ...given });
  }
}
