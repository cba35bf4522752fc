import type { Raw } from '../../../core/connector.ts';
import type { Account } from '../account.ts';
import { outcomeOf } from './call.ts';
import { ListedCall, ListedRecording, ListedTranscription, messageIn, timeOf } from './listed.ts';
import type { Listed } from './listed.ts';
import type { Settings } from './settings.ts';

/** The longest call that Twilio lets an account have, unless it is asked: calls are listed by when they began. */
const LONGEST_MS = 4 * 3_600_000;

/**
 * Calls that ended since `since`, oldest first: to our numbers, and call-backs, which are told from what else an account
 * calls by the agent whom they rang at.
 */
export async function* reconcile(
  account: Account,
  settings: Settings,
  since: number,
  signal: AbortSignal,
): AsyncIterable<Raw> {
  const from = new Date(since - LONGEST_MS).toISOString().replace(/\.\d+Z$/, 'Z');
  const agents = settings.forward?.numbers ?? [];
  for (const number of settings.numbers) {
    const came = await ended(account, { To: number, 'StartTime>': from }, since, signal);
    const went = agents.length > 0 ? await ended(account, { From: number, 'StartTime>': from }, since, signal) : [];
    const backs = went.filter(({ direction, to }) => direction === 'outbound-api' && agents.includes(to ?? ''));
    for (const call of [...came.filter(({ direction }) => direction === 'inbound'), ...backs]) {
      const body = Buffer.from(JSON.stringify(await withDetails(account, settings, call, signal)));
      yield { body, headers: { 'content-type': 'application/json' } };
    }
  }
}

/** Also legs of calls, which are told with the whole call: they have a direction of their own. */
async function ended(
  account: Account,
  query: Readonly<Record<string, string>>,
  since: number,
  signal: AbortSignal,
): Promise<ListedCall[]> {
  const found: ListedCall[] = [];
  for await (const call of account.list('/Calls.json', query, { key: 'calls', item: ListedCall }, signal)) {
    const isOver = outcomeOf(call.status) !== undefined;
    const at = timeOf(call.end_time) ?? timeOf(call.start_time) ?? since;
    if (isOver && at >= since) found.push(call);
  }
  return found.reverse();
}

async function withDetails(
  account: Account,
  { voicemail }: Settings,
  call: ListedCall,
  signal: AbortSignal,
): Promise<Listed> {
  const id = encodeURIComponent(call.sid);
  const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
    const found: T[] = [];
    for await (const item of items) found.push(item);
    return found;
  };
  const legs = await all(
    account.list('/Calls.json', { ParentCallSid: call.sid }, { key: 'calls', item: ListedCall }, signal),
  );
  const recordings = await all(
    account.list(`/Calls/${id}/Recordings.json`, {}, { key: 'recordings', item: ListedRecording }, signal),
  );
  const message = voicemail?.transcribe ? messageIn(recordings) : undefined;
  const written = { key: 'transcriptions', item: ListedTranscription };
  const path = `/Recordings/${encodeURIComponent(message?.sid ?? '')}/Transcriptions.json`;
  const transcriptions = message ? await all(account.list(path, {}, written, signal)) : [];
  return { call, legs, recordings, transcriptions };
}
