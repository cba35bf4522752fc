import { z } from 'zod';
import { each } from '../../core/each.ts';
import { ignored } from '../../core/envelope.ts';
import type { ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { callOf } from './call.ts';
import { EntryId, RecordingId, Seconds } from './fields.ts';
import { fromLeg } from './leg.ts';
import { fromListed } from './listed.ts';
import { jsonIn } from './notification.ts';
import { fromSummary } from './summary.ts';

/** A notification, or a call of the statistics, as a call. */
export function toItems(payload: Payload): ItemInput[] {
  if (payload.method === 'RECONCILE') return each([payload], ({ body }) => fromListed(parseJson(body), payload));
  // What is signed says itself which event it is; the address, which isn't signed, is only named.
  return each([payload], ({ body }) => {
    const said = z.record(z.string(), z.unknown()).parse(parseJson(jsonIn(body)));
    const [, read] = EVENTS.find(([field]) => field in said) ?? [];
    return read ? read(said, payload) : ignored(nameIn(payload), 'says nothing of the stages of a call');
  });
}

/** Events by a field that no other one has. */
const EVENTS: readonly (readonly [string, (said: unknown, payload: Payload) => ItemInput])[] = [
  ['call_state', fromLeg],
  ['entry_result', fromSummary],
  // It is over before the file can be had, and who asks for it too early twice is blocked for two minutes.
  ['recording_state', () => ignored('recording_state', 'that a recording lies ready is told by itself')],
  ['recording_id', fromRecord],
];

/** `events/dtmf`: what stands behind our address. */
function nameIn({ url }: Payload): string {
  const [path = ''] = url.split('?', 1);
  return path.split('/').slice(3).join('/') || 'no event';
}

/** API Mango Office 1.9, 3.1.8: a recording lies ready. It says which call, and nothing else of it. */
const Recorded = z.object({ entry_id: EntryId, recording_id: RecordingId, timestamp: Seconds });

function fromRecord(said: unknown, { receivedAt }: Payload): ItemInput {
  const { entry_id: id, recording_id: recording, timestamp: second } = Recorded.parse(said);
  return callOf(id, {
    stage: 'recorded',
    second,
    receivedAt,
    call: { outcome: 'answered' },
    recordings: [recording],
  });
}
