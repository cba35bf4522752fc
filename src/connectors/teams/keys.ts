import { createPublicKey } from 'node:crypto';
import type { JsonWebKey, KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Http } from '../../core/connector.ts';
import { RetryableError, textOf } from '../../core/errors.ts';

const ROOT = 'https://login.botframework.com';
const HOUR = 60 * 60_000;
/** How long keys are good without a look at what there is now. */
const FRESH_MS = 24 * HOUR;
/** How long they are good where nobody answers: as long as Microsoft's own libraries keep them. */
const KEPT_MS = 5 * 24 * HOUR;
/** How soon is looked again for a key that isn't there: whoever makes up names of keys causes one call an hour. */
const UNKNOWN_MS = HOUR;
/** Microsoft asks for an answer within 15 s, keys included. */
const ASK_MS = 5000;
const MAX_BYTES = 1024 * 1024;

/** What the Bot Framework signs with. */
export interface SigningKeys {
  /** Undefined where there is none of that name; `RetryableError` where nobody can say. */
  find(kid: string): Promise<SigningKey | undefined>;
  /** Whether they can be had. */
  load(): Promise<void>;
}

interface SigningKey {
  readonly publicKey: KeyObject;
  /** The channels that it may speak for; undefined: it doesn't say. */
  readonly endorsements: readonly string[] | undefined;
}

const Metadata = z.object({ jwks_uri: z.url() });
const KeySet = z.object({ keys: z.array(z.unknown()) });
const Key = z.looseObject({
  kty: z.literal('RSA'),
  kid: z.string().min(1),
  n: z.string(),
  e: z.string(),
  endorsements: z.array(z.string()).optional(),
});

export function createSigningKeys(deps: {
  readonly http: Http;
  readonly clock: Clock;
  /** Of a stand-in, without a slash at the end. */
  readonly apiRoot: string | undefined;
}): SigningKeys {
  const { http, clock, apiRoot } = deps;
  const root = apiRoot ?? ROOT;
  let held: { readonly at: number; readonly keys: ReadonlyMap<string, SigningKey> } | undefined;
  let pending: Promise<void> | undefined;

  async function ask<T>(schema: z.ZodType<T>, url: string): Promise<T> {
    const { json } = await http.send({ url, timeoutMs: ASK_MS, maxBytes: MAX_BYTES });
    return schema.parse(json);
  }

  async function fetchAll(): Promise<void> {
    try {
      const { jwks_uri: url } = await ask(Metadata, `${root}/v1/.well-known/openidconfiguration`);
      // Whoever holds these keys can say anything.
      if (new URL(url).origin !== new URL(root).origin) throw new Error(`it names keys at ${new URL(url).origin}`);
      const { keys } = await ask(KeySet, url);
      held = { at: clock.now(), keys: new Map(keys.flatMap(toEntry)) };
    } catch (error) {
      throw new RetryableError(`the keys of the Bot Framework can't be had: ${textOf(error).slice(0, 500)}`, {
        cause: error,
        hint: `Check that this machine reaches ${root}.`,
      });
    }
  }

  function refresh(): Promise<void> {
    pending ??= fetchAll().finally(() => (pending = undefined));
    return pending;
  }

  return {
    load: refresh,
    async find(kid) {
      const age = held ? clock.now() - held.at : Infinity;
      const known = held?.keys.get(kid);
      if (known && age < KEPT_MS) {
        // Nobody waits for it: its failure shows when the keys are too old.
        if (age >= FRESH_MS) refresh().catch(() => undefined);
        return known;
      }
      if (age >= UNKNOWN_MS) await refresh();
      return held?.keys.get(kid);
    },
  };
}

/** Nothing where it is no key that we can use: the others are good all the same. */
function toEntry(value: unknown): [string, SigningKey][] {
  const { data } = Key.safeParse(value);
  if (!data) return [];
  const { kty, kid, n, e, endorsements } = data;
  try {
    const jwk: JsonWebKey = { kty, n, e };
    return [[kid, { publicKey: createPublicKey({ key: jwk, format: 'jwk' }), endorsements }]];
  } catch {
    return [];
  }
}
