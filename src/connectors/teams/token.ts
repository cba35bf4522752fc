import { verify as isSignedBy } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import type { SigningKeys } from './keys.ts';

/** How far the clocks of two honest machines may be apart. */
const SKEW_MS = 5 * 60_000;
const ISSUER = 'https://api.botframework.com';

const Header = z.object({
  alg: z.literal('RS256'),
  kid: z.string().min(1).max(200),
  // RFC 7515, section 4.1.11: whoever doesn't know what stands there must refuse.
  crit: z.undefined().optional(),
});
/** Times in seconds. */
const Claims = z.object({ iss: z.string(), aud: z.string(), exp: z.number(), nbf: z.number(), serviceurl: z.string() });
const Said = z.object({ serviceUrl: z.unknown().optional(), channelId: z.unknown().optional() });

/**
 * Throws unless Microsoft sent it to this bot: its bearer token is signed, issued by the Bot Framework, for this app, now,
 * for this service address, and by a key that may speak for the channel. The body itself is not signed.
 * https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication
 */
export function createVerify(deps: {
  readonly appId: string;
  readonly keys: SigningKeys;
  readonly clock: Clock;
}): (request: WebhookRequest) => Promise<void> {
  const { appId, keys, clock } = deps;
  return async ({ headers, body }) => {
    const { header, claims, signed, signature } = readToken(headers.authorization);
    // Before the keys are asked for: strangers shall cause no calls.
    checkClaims(claims, appId, clock.now());
    const key = await keys.find(header.kid);
    if (!key || !isSignedBy('RSA-SHA256', signed, key.publicKey, signature)) {
      throw new BadPayloadError('the token is not signed with a key of the Bot Framework');
    }
    checkActivity(body, claims.serviceurl, key.endorsements);
  };
}

function readToken(authorization = '') {
  const [, head, middle, tail] =
    /^Bearer ([\w-]{1,2000})\.([\w-]{1,8000})\.([\w-]{1,2000})$/i.exec(authorization) ?? [];
  if (head === undefined || middle === undefined || tail === undefined) {
    throw new BadPayloadError('Authorization holds no token of the Bot Framework');
  }
  const header = Header.safeParse(readable(bytesOf(head)));
  const claims = Claims.safeParse(readable(bytesOf(middle)));
  if (!header.success || !claims.success) throw new BadPayloadError('the token is none that the Bot Framework makes');
  return {
    header: header.data,
    claims: claims.data,
    signed: Buffer.from(`${head}.${middle}`),
    signature: bytesOf(tail),
  };
}

/** Each text stands for other bytes: the last letter of base64 has bits that mean nothing. */
function bytesOf(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part) throw new BadPayloadError('the token is not written as it should be');
  return bytes;
}

function checkClaims({ iss, aud, exp, nbf }: z.output<typeof Claims>, appId: string, now: number): void {
  if (iss !== ISSUER) throw new BadPayloadError('the token is issued by somebody else than the Bot Framework');
  if (aud.toLowerCase() !== appId) {
    throw new BadPayloadError('the token is for another bot', {
      hint: 'If it was Teams, `appId` is that of another bot.',
    });
  }
  if (now >= exp * 1000 + SKEW_MS || now < nbf * 1000 - SKEW_MS) {
    throw new BadPayloadError('the token is not valid now', {
      hint: 'If it was Teams, this clock is wrong (`tributary doctor` shows it).',
    });
  }
}

/** Where answers go is in the body, which isn't signed: it must be what the token says. */
function checkActivity(body: Buffer, serviceUrl: string, endorsements: readonly string[] | undefined): void {
  const said = Said.safeParse(readable(body));
  // No activity at all: there is nothing to compare, and nothing of it is followed.
  if (!said.success) return;
  const { serviceUrl: named, channelId } = said.data;
  if (named !== serviceUrl) {
    throw new BadPayloadError('the token is for another service address than the activity names');
  }
  if (endorsements && typeof channelId === 'string' && !endorsements.includes(channelId)) {
    throw new BadPayloadError(`the key does not speak for the channel ${channelId.slice(0, 100)}`);
  }
}

function readable(body: Buffer): unknown {
  try {
    return parseJson(body);
  } catch {
    return undefined;
  }
}
