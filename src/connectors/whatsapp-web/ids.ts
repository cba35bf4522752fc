import type { EnvelopeInput } from '../../core/envelope.ts';
import type { Key, Person, Told } from './event.ts';

/** Kind of the ids that WhatsApp gives people: with their server, as a number and a `@lid` may have the same digits. */
export const JID = 'whatsapp_jid';

type People = Told['people'];

export function isGroup(wid: string): boolean {
  return wid.endsWith('@g.us');
}

export function isPerson(wid: string): boolean {
  return /^\d{4,20}@(c\.us|lid)$/.test(wid);
}

/** The same for one person whichever of his names stands there: his number, as soon as WhatsApp says it. */
export function canonical(wid: string, people: People): string {
  return numberOf(wid, people[wid]) ?? wid;
}

function numberOf(wid: string, person: Person | undefined): string | undefined {
  if (/^\d{5,15}@c\.us$/.test(wid)) return wid;
  const number = person?.number;
  return number && /^\d{5,15}@c\.us$/.test(number) ? number : undefined;
}

/**
 * The name that a message has with us. WhatsApp's own names it by its chat, which may be a number in one place and a
 * `@lid` in another: the id alone is as unique. Ours are told apart, since only we can make them; in a group everybody
 * sees everybody's ids, so there the author belongs to it.
 */
export function externalIdOf(key: Key, people: People): string {
  if (key.fromMe) return outgoing(key.id);
  if (!isGroup(key.remote)) return `in:${key.id}`;
  const author = key.participant ? canonical(key.participant, people) : 'unknown';
  return `${key.remote}:${key.id}:${author}`;
}

/** The same, of what we have sent. */
export function outgoing(id: string): string {
  return `out:${id}`;
}

/** WhatsApp vouches for all of them: it has proved the number, and the ids are its own. */
export function partyOf(wid: string, people: People, name: string | null | undefined): EnvelopeInput['sender'] {
  const number = numberOf(wid, people[wid]);
  const shown = name || people[wid]?.name;
  const jids = [...new Set([wid, ...(number === undefined ? [] : [number])])];
  return {
    ...(shown && { name: shown.slice(0, 1000) }),
    identifiers: [
      // First the one that he wrote from: there he is answered.
      ...jids.map((value) => ({ kind: JID, value, trust: 'verified' as const })),
      ...(number === undefined
        ? []
        : [{ kind: 'phone', value: `+${number.split('@')[0] ?? ''}`, trust: 'verified' as const }]),
    ],
  };
}
