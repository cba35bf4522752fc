import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context, Raw } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import type { Call, Row } from './call.ts';
import { timeOfId } from './call.ts';
import { clockOf, secondsOf } from './rows.ts';
import type { Records } from './settings.ts';

/** The end of the file that is read: some 300,000 records. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_FIELD = 2000;
/** Records of one call that count. */
const MAX_ROWS = 200;

/**
 * Columns of Master.csv with loguniqueid, loguserfield and newcdrcolumns, where the first line doesn't name them.
 * https://docs.asterisk.org/Configuration/Reporting/Call-Detail-Records-CDR/CDR-Storage-Backends/CSV-CDR-Backends/
 */
const COLUMNS = [
  ...['accountcode', 'src', 'dst', 'dcontext', 'clid', 'channel', 'dstchannel', 'lastapp', 'lastdata'],
  ...['start', 'answer', 'end', 'duration', 'billsec', 'disposition', 'amaflags'],
  ...['uniqueid', 'userfield', 'peeraccount', 'linkedid', 'sequence'],
];
/** What is read of them. */
const READ = new Set(
  'src dst clid channel dstchannel lastapp lastdata start calldate duration billsec disposition uniqueid linkedid sequence did'.split(
    ' ',
  ),
);

/** The calls that were over since a time (milliseconds), the oldest first, each with all of its records. */
export async function* recordsSince(
  records: Records,
  { http, folder }: Pick<Context, 'http' | 'folder'>,
  since: number,
  signal: AbortSignal,
): AsyncGenerator<Raw> {
  const chunks = 'file' in records ? fromFile(join(folder, records.file)) : fromAddress(records, http, since, signal);
  const calls = await group(linesOf(chunks), signal);
  const over = calls.filter(({ id, rows }) => endOf(id, rows) >= since);
  for (const call of over.toSorted((a, b) => endOf(a.id, a.rows) - endOf(b.id, b.rows))) {
    yield { body: Buffer.from(JSON.stringify({ call })) };
  }
}

async function* fromFile(path: string): AsyncGenerator<Buffer> {
  const file = await open(path).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw new RetryableError(`the call records can't be opened (${code})`, {
      hint: `There must be a link to them at ${path}, and the user of this gateway may read them.`,
    });
  });
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - MAX_BYTES);
    // The line that it begins within is no record.
    let isWhole = start === 0;
    for await (const chunk of file.createReadStream({ start, end: size }) as AsyncIterable<Buffer>) {
      const from = isWhole ? 0 : chunk.indexOf(0x0a) + 1;
      isWhole ||= from > 0;
      if (isWhole) yield chunk.subarray(from);
    }
  } finally {
    await file.close().catch(() => undefined);
  }
}

async function* fromAddress(
  { url, user, password }: Exclude<Records, { file: string }>,
  http: Context['http'],
  since: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const address = new URL(url);
  address.searchParams.set('since', String(Math.floor(since / 1000)));
  const login = user && password ? Buffer.from(`${user}:${password.reveal()}`).toString('base64') : undefined;
  const headers = { accept: 'text/csv, text/plain', ...(login && { authorization: `Basic ${login}` }) };
  const { body } = await http.stream({ url: address.href, headers, maxBytes: MAX_BYTES, signal });
  for await (const chunk of body) yield chunk as Buffer;
}

/** Fields of each line, by quotes as RFC 4180 has them, separated by commas or tabs; a line that is too long is left out. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    // Asterisk writes no record of more than 1,024 bytes.
    rest = (lines.pop() ?? '').slice(0, 64 * 1024);
    for (const line of lines) yield fieldsOf(line);
  }
  // A last line without its end is still being written.
}

function fieldsOf(line: string): string[] {
  const text = line.replace(/\r$/, '');
  if (text.includes('\t')) return text.split('\t');
  const fields: string[] = [];
  for (const match of text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    fields.push((match[1]?.replaceAll('""', '"') ?? match[2] ?? '').slice(0, MAX_FIELD));
  }
  return fields;
}

/** By linkedid: one call may have many records, also of channels of its own. */
async function group(lines: AsyncIterable<string[]>, signal: AbortSignal): Promise<Call[]> {
  const calls = new Map<string, Call & { rows: Row[] }>();
  let columns: readonly string[] = COLUMNS;
  let isEmpty = true;
  let isFirst = true;
  for await (const fields of lines) {
    signal.throwIfAborted();
    const named = isFirst ? fields.map((field) => field.trim().toLowerCase()) : [];
    isFirst = false;
    if (named.includes('uniqueid') || named.includes('linkedid')) {
      columns = named;
      continue;
    }
    isEmpty = false;
    const entries = fields.map((value, index) => [columns[index] ?? '', value] as const);
    const row = Object.fromEntries(entries.filter(([column, value]) => READ.has(column) && value !== ''));
    const id = row['linkedid']?.slice(0, 200);
    if (!id) continue;
    const call = calls.get(id) ?? { id, legs: [], rows: [], isWhole: false, ended: 'records' as const, told: 0 };
    calls.set(id, call);
    if (call.rows.length < MAX_ROWS) call.rows.push(row);
    call.told = call.rows.length;
  }
  if (calls.size === 0 && !isEmpty) {
    throw new PermanentError('the call records have no linkedid, so nobody can tell what belongs to one call', {
      hint: 'cdr.conf, [csv]: loguniqueid=yes, loguserfield=yes, newcdrcolumns=yes; or a first line that names the columns.',
    });
  }
  return [...calls.values()];
}

/** Milliseconds since the epoch: from the id, as the records may be in any time zone. */
function endOf(id: string, rows: readonly Row[]): number {
  const times = rows.map(clockOf).filter((time) => !Number.isNaN(time));
  const first = Math.min(...times);
  const base = timeOfId(id) ?? first;
  const ends = rows.map((row) => base + ((clockOf(row) || first) - first) + secondsOf(row, 'duration') * 1000);
  return Math.max(...ends.filter((end) => Number.isFinite(end)), base);
}
