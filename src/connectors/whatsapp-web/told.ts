import { systemClock } from '../../core/clock.ts';
import type { Client } from './library.ts';

/** What the library tells, as it is handed over: in the browser's process. */
export type Tell = (event: string, data: object, more?: object) => Promise<object>;

interface Person {
  readonly name?: string;
  readonly number?: string;
}

/** Keys to files, pictures in small, wave forms: secrets and bulk. */
const LEFT_OUT =
  /^(media|ephemeral|message)?(Key|KeyTimestamp|Secret)$|thumbnail|waveform|sidecar|scan(s|Lengths)|^(preview|encFilehash|directPath|deprecatedMms3Url)$/i;

const LOOK_MS = 10_000;
/** People that are remembered, so that the page isn't asked for each message. */
const MOST_PEOPLE = 2000;

/**
 * Adds who the people are that an event names, as far as WhatsApp Web knows it by itself: the library can also ask
 * WhatsApp's servers for the number behind a `@lid`, and numbers that do so often are blocked.
 */
export function createTell(client: Client): Tell {
  const people = new Map<string, Person>();
  const groups = new Map<string, string>();

  async function personOf(wid: string): Promise<Person> {
    const known = people.get(wid);
    if (known) return known;
    const contact = await within(client.getContactById(wid)).catch(() => undefined);
    if (!contact) return {};
    const number = contact.id?._serialized;
    const isRevealed = number !== wid;
    const person = toPerson(contact.name ?? contact.pushname, isRevealed ? number : undefined);
    // Who hides his number may show it any day.
    if (isRevealed || !wid.endsWith('@lid')) remember(people, wid, person);
    return person;
  }

  async function groupOf(wid: string): Promise<string | undefined> {
    if (!groups.has(wid)) {
      const name = (await within(client.getChatById(wid)).catch(() => undefined))?.name;
      if (name !== undefined) remember(groups, wid, name);
    }
    return groups.get(wid);
  }

  return async (event, data, more = {}) => {
    const told = plain(data);
    const wids = new Set(JSON.stringify(told).match(/\b\d{4,20}@(c\.us|lid)\b/g) ?? []);
    const named = [...wids].slice(0, 20);
    const found = await Promise.all(named.map(async (wid) => [wid, await personOf(wid)] as const));
    const [group] = /\b[\d-]{5,40}@g\.us\b/.exec(JSON.stringify(told)) ?? [];
    const name = group && (await groupOf(group));
    return {
      event,
      self: client.info?.wid?._serialized,
      people: Object.fromEntries(found),
      ...(name && { group: { name } }),
      data: told,
      ...more,
    };
  };
}

function toPerson(name: string | undefined, number: string | undefined): Person {
  return { ...(name !== undefined && { name }), ...(number !== undefined && { number }) };
}

function remember<T>(all: Map<string, T>, key: string, value: T): void {
  const [oldest] = all.keys();
  if (all.size >= MOST_PEOPLE && oldest !== undefined) all.delete(oldest);
  all.set(key, value);
}

/** What is left of one of the library's objects as data. */
export function plain(data: object): object {
  const isFile = 'hasMedia' in data && data.hasMedia === true;
  const text = JSON.stringify(data, function (this: unknown, name: string, value: unknown) {
    if (LEFT_OUT.test(name)) return undefined;
    // Where there is a file, this is its thumbnail.
    const isRaw = name === 'body' && typeof this === 'object' && this !== null && 't' in this;
    return isRaw && isFile ? undefined : value;
  });
  return JSON.parse(text) as object;
}

/** The page may never answer. */
export async function within<T>(work: Promise<T>, ms = LOOK_MS): Promise<T> {
  const over = new AbortController();
  const late = systemClock.sleep(ms, over.signal).then(() => {
    throw new Error(`WhatsApp Web did not answer within ${ms / 1000} s`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => undefined);
    over.abort();
  }
}
