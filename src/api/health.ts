import { z } from 'zod';
import type { Endpoint, Gateway } from '../core/gateway.ts';
import type { EndpointState } from '../core/rows.ts';
import { toTime } from '../core/ticket.ts';
import { TimeText } from './schemas.ts';

const HOUR_MS = 3_600_000;
/** A channel without anything for this long is quiet. */
const QUIET_MS = 24 * HOUR_MS;
/** An error counts until something has worked, or this long. */
const RECENT_MS = HOUR_MS;

const healthStates = ['setting_up', 'waiting_first', 'healthy', 'quiet', 'degraded', 'needs_reauth', 'paused'] as const;

/** How an endpoint is, with what says so. */
export const Health = z
  .object({
    state: z.enum(healthStates),
    problem: z.string().nullable().meta({ description: 'Why it could not be opened' }),
    lastInAt: TimeText.nullable(),
    lastOutAt: TimeText.nullable(),
    backlog: z.number().int().meta({ description: 'Tasks that wait for it' }),
    dead: z.number().int().meta({ description: 'Tasks set aside for a person' }),
    lagMs: z.number().int().nullable().meta({ description: 'Age of the oldest task that waits' }),
    failures: z.number().int().meta({ description: 'Failures since the last success, fetching and sending' }),
    lastError: z.string().nullable().meta({ description: 'In the words of the other side' }),
    lastErrorAt: TimeText.nullable(),
    quarantinedAt: TimeText.nullable().meta({ description: 'When something came in that could not be read, last' }),
    reconciledAt: TimeText.nullable().meta({
      description: 'When the vendor was last asked for what he holds, all of it filed; only channels that can ask',
    }),
    missed: z.number().int().meta({ description: 'Messages that were found so, since they had never been pushed' }),
    pausedUntil: TimeText.nullable(),
    pauseReason: z.string().nullable(),
    linking: z
      .object({
        text: z.string(),
        qr: z
          .string()
          .nullable()
          .meta({ description: 'What the QR code to be scanned says; another one soon follows' }),
      })
      .nullable()
      .meta({ description: 'What it waits for a person to do, before it works' }),
  })
  .meta({ id: 'Health' });
type Health = z.output<typeof Health>;

interface Backlog {
  readonly waiting: number;
  readonly dead: number;
  readonly oldestAt: number | null;
}

const UNKNOWN: Omit<EndpointState, 'endpointId'> = {
  pausedUntil: null,
  pauseReason: null,
  needsReauth: false,
  disabledAt: null,
  failures: 0,
  lastInAt: null,
  lastOutAt: null,
  lastError: null,
  lastErrorAt: null,
  inbound: { failures: 0, needsReauth: false, lastError: null, lastErrorAt: null },
  quarantinedAt: null,
  reconciledAt: null,
  missed: 0,
};

/** Reads the evidence once, for as many endpoints as are asked for. */
export async function readHealth({ store, clock, endpoints }: Gateway): Promise<(endpoint: Endpoint) => Health> {
  const [states, backlogs, linkings] = await Promise.all([
    store.read.endpointStates(),
    store.read.backlog(),
    readLinkings(endpoints.all('channel')),
  ]);
  const stateOf = new Map(states.map((state) => [state.endpointId, state]));
  const backlogOf = new Map(backlogs.map((backlog) => [backlog.endpointId, backlog]));
  const now = clock.now();
  return (endpoint) => {
    const { id } = endpoint;
    const linking = linkings.get(id) ?? null;
    return healthOf(endpoint, stateOf.get(id) ?? UNKNOWN, backlogOf.get(id), { linking, now });
  };
}

/** By channel; only those that wait for a person. */
async function readLinkings(channels: readonly Endpoint[]): Promise<ReadonlyMap<string, Health['linking']>> {
  const found = new Map<string, Health['linking']>();
  for (const { id, channel } of channels) {
    const linking = await channel?.linking?.();
    if (linking) found.set(id, { text: linking.text, qr: linking.qr ?? null });
  }
  return found;
}

function healthOf(
  endpoint: Endpoint,
  state: Omit<EndpointState, 'endpointId'>,
  backlog: Backlog | undefined,
  { linking, now }: Pick<Health, 'linking'> & { readonly now: number },
): Health {
  const time = (ms: number | null) => (ms === null ? null : toTime(ms));
  const oldestAt = backlog?.oldestAt ?? null;
  const fetching = (state.inbound.lastErrorAt ?? 0) > (state.lastErrorAt ?? 0);
  const { lastError, lastErrorAt } = fetching ? state.inbound : state;
  return {
    state: linking ? 'setting_up' : stateOf(endpoint, state, now),
    problem: endpoint.problem,
    lastInAt: time(state.lastInAt),
    lastOutAt: time(state.lastOutAt),
    backlog: backlog?.waiting ?? 0,
    dead: backlog?.dead ?? 0,
    lagMs: oldestAt === null ? null : Math.max(0, now - oldestAt),
    failures: state.failures + state.inbound.failures,
    lastError,
    lastErrorAt: time(lastErrorAt),
    quarantinedAt: time(state.quarantinedAt),
    reconciledAt: time(state.reconciledAt),
    missed: state.missed,
    pausedUntil: time(state.pausedUntil),
    pauseReason: state.pauseReason,
    linking,
  };
}

/** What a person has to act on comes first. */
function stateOf(
  endpoint: Endpoint,
  state: Omit<EndpointState, 'endpointId'>,
  now: number,
): (typeof healthStates)[number] {
  // One that is switched off isn't open either, but that is what somebody wanted.
  if (!endpoint.enabled) return 'paused';
  if (endpoint.problem !== null) return 'setting_up';
  if (state.needsReauth || state.inbound.needsReauth) return 'needs_reauth';
  if (isPaused(state, now)) return 'paused';
  if (isDegraded(state, now)) return 'degraded';
  const last = endpoint.role === 'channel' ? state.lastInAt : state.lastOutAt;
  if (last === null) return 'waiting_first';
  return last < now - QUIET_MS ? 'quiet' : 'healthy';
}

function isDegraded(state: Omit<EndpointState, 'endpointId'>, now: number): boolean {
  const worked = Math.max(state.lastInAt ?? 0, state.lastOutAt ?? 0);
  const failed = state.lastErrorAt ?? 0;
  if (state.failures > 0 || state.inbound.failures > 0) return true;
  return (failed > worked && failed > now - RECENT_MS) || (state.quarantinedAt ?? 0) > now - RECENT_MS;
}

function isPaused(state: Omit<EndpointState, 'endpointId'>, now: number): boolean {
  return state.disabledAt !== null || (state.pausedUntil ?? 0) > now;
}
