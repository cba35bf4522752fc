import type { Texts } from './texts.ts';
import type { EndpointView, Health } from './views.ts';

/** How it has to be looked at: a person must act, something is wrong, all is well, nothing happens, switched off. */
export type Look = 'act' | 'warn' | 'ok' | 'idle' | 'off';

export function lookOf({ enabled, health }: EndpointView): Look {
  if (!enabled) return 'off';
  switch (health.state) {
    case 'needs_reauth':
    case 'setting_up':
      return 'act';
    // Without a time at which it goes on, somebody has to make it.
    case 'paused':
      return health.pausedUntil === null ? 'act' : 'warn';
    case 'degraded':
      return 'warn';
    case 'quiet':
    case 'waiting_first':
      return 'idle';
    case 'healthy':
      return 'ok';
  }
}

/** In the order in which a person wants to see them. */
export const groups = [
  ['attention', ['act', 'warn']],
  ['fine', ['ok']],
  ['idle', ['idle']],
  ['off', ['off']],
] as const satisfies readonly (readonly [string, readonly Look[]])[];
export type Group = (typeof groups)[number][0];

export function groupOf(endpoint: EndpointView): Group {
  const look = lookOf(endpoint);
  return groups.find(([, looks]) => (looks as readonly Look[]).includes(look))?.[0] ?? 'off';
}

type Words = Texts['health'];
type Time = (iso: string) => string;

/** Why it is as it is, in the words of the other side where there are any; undefined when all is well. */
export function reasonOf(endpoint: EndpointView, t: Words, time: Time): string | undefined {
  const { enabled, health, role } = endpoint;
  if (!enabled) return t.switchedOff;
  switch (health.state) {
    case 'setting_up':
      return notSetUp(health);
    case 'needs_reauth':
      return health.lastError ?? t.refused;
    case 'paused':
      return paused(health, t, time);
    case 'degraded':
      return degraded(health, t, time);
    case 'quiet':
      return quiet(endpoint, t, time);
    case 'waiting_first':
      return t.first[role];
    case 'healthy':
      return undefined;
  }
}

/** It waits for a person, or could not be opened. */
function notSetUp({ linking, problem }: Health): string | undefined {
  return linking?.text ?? problem ?? undefined;
}

function paused({ pausedUntil, pauseReason }: Health, t: Words, time: Time): string {
  const until = pausedUntil === null ? t.stopped : t.until(time(pausedUntil));
  return [pauseReason, until].filter(Boolean).join(' · ');
}

/** Whichever was last: an error of the other side, or something that could not be read. */
function degraded({ lastError, lastErrorAt, quarantinedAt, failures }: Health, t: Words, time: Time): string {
  const unread = quarantinedAt !== null && (lastErrorAt === null || lastErrorAt < quarantinedAt);
  return unread ? t.unread(time(quarantinedAt)) : (lastError ?? t.failures(failures));
}

function quiet({ role, health }: EndpointView, t: Words, time: Time): string | undefined {
  const last = role === 'channel' ? health.lastInAt : health.lastOutAt;
  return last === null ? undefined : t.quiet(time(last));
}
