import type { Block } from './blocks.ts';
import type { Leg } from './call.ts';

/** The first number and name count: a dialplan may write others over them on the way. */
export function noteChannel(leg: Leg, event: Block): void {
  const { number, name } = { number: shown(event.get('calleridnum')), name: shown(event.get('calleridname')) };
  if (number) leg.number ??= number;
  if (name) leg.name ??= name;
  const exten = event.get('exten') ?? event.get('extension');
  if (exten) leg.exten ??= exten;
  // Presentation 32 and above is "prohibited" or "not available".
  if (Number.parseInt(event.get('cid-callingpres') ?? '0', 10) >= 32) leg.isHidden = true;
}

function shown(value: string | undefined): string | undefined {
  return value && !/^<?unknown>?$/i.test(value) ? value.slice(0, 200) : undefined;
}

/** `hh:mm:ss` as milliseconds. */
function durationOf(text: string | undefined): number {
  const [, hours, minutes, seconds] = /^(\d+):(\d\d):(\d\d)$/.exec(text ?? '') ?? [];
  return (Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)) * 1000;
}

/** A channel as Asterisk lists it; of a `new` one only since when it is there is known, not since when it is up. */
export function noteListed(leg: Leg, event: Block, at: number): 'new' | 'known' {
  noteChannel(leg, event);
  if (event.get('channelstate') === '6' && leg.upAt === undefined) [leg.upAt, leg.isLate] = [at, true];
  if (leg.createdAt !== undefined) return 'known';
  leg.createdAt = at - durationOf(event.get('duration'));
  if (/^app(dial|queue)/i.test(event.get('application') ?? '')) leg.dialed ??= '';
  return 'new';
}
