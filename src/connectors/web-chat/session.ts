import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { BadPayloadError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { equalSecrets } from '../../core/secret.ts';
import { hmac } from '../../core/signature.ts';

/**
 * A visitor's token is `<session>.<proof>`: the session says who he is and is no secret, the proof is our signature over
 * it. Messages carry the session in their body, which is kept; the proof stands in a header, which isn't.
 */

/** How long a token is good; each page renews it. */
const SESSION_MS = 180 * 24 * 3_600_000;
/** Clocks of two servers are never quite the same. */
const LEEWAY_MS = 60_000;

/** Bounds that keep a token, which is a header, small. */
const word = (longest: number) => z.string().min(1).max(longest);

/** What the shop's own server, or Telegram, says about a visitor. */
const Identity = z.object({
  /** His id with the shop. */
  sub: word(200).optional(),
  /** His id at Telegram. */
  telegram: word(20).optional(),
  name: word(100).optional(),
  email: word(254).optional(),
  phone: word(50).optional(),
});
export type Identity = z.output<typeof Identity>;

const Session = z.object({
  /** Names the visitor and his conversation. Random: nobody can guess another's. */
  thread: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  /** Milliseconds since the epoch. */
  until: z.number(),
  identity: Identity.optional(),
});
export type Session = z.output<typeof Session>;

/** The claims of OpenID Connect. What the shop says that it hasn't verified, it leaves out or marks so. */
const Claims = z.object({
  sub: word(200),
  exp: z.number(),
  name: z.string().optional(),
  email: word(254).optional(),
  email_verified: z.boolean().optional(),
  phone_number: word(50).optional(),
  phone_number_verified: z.boolean().optional(),
});

/** What a session says, whoever signed it; undefined unless it is one. */
export function readSession(text: string): Session | undefined {
  return Session.safeParse(readPart(text)).data;
}

/** The session of a token, and what it says; undefined unless the token is ours and still good. */
export function openToken(
  key: Buffer,
  token: string,
  now: number,
): { readonly text: string; readonly session: Session } | undefined {
  const [, text, proof] = /^([A-Za-z0-9_-]{1,4000})\.([A-Za-z0-9_-]{43})$/.exec(token) ?? [];
  if (text === undefined || proof === undefined || !equalSecrets(proof, proofOf(key, text))) return undefined;
  const session = readSession(text);
  return session && session.until > now ? { text, session } : undefined;
}

/**
 * A fresh token. The conversation of `before` goes on unless it was somebody else's: whoever has signed out, or in as
 * another, must not read it.
 */
export function makeToken(key: Buffer, now: number, before: Session | undefined, identity: Identity | undefined) {
  const isHis = before !== undefined && (before.identity === undefined || isSame(before.identity, identity));
  const session: Session = {
    thread: isHis ? before.thread : randomBytes(16).toString('base64url'),
    until: now + SESSION_MS,
    ...(identity && { identity }),
  };
  const text = Buffer.from(JSON.stringify(session)).toString('base64url');
  return { token: `${text}.${proofOf(key, text)}`, thread: session.thread };
}

const isSame = (one: Identity, other: Identity | undefined) =>
  one.sub === other?.sub && one.telegram === other?.telegram;

/** Reads what the shop's server signed: a JWT with HS256 that has an end. Throws `BadPayloadError`. */
export function readIdentity(secret: string | undefined, jwt: string, now: number): Identity {
  if (secret === undefined) {
    throw new BadPayloadError('the site says who its visitor is, and the chat has no identitySecret', {
      hint: 'Set identitySecret to what your server signs with, or leave data-identity out of the page.',
    });
  }
  const [, head = '', claims = '', proof = ''] =
    /^([A-Za-z0-9_-]{1,500})\.([A-Za-z0-9_-]{1,4000})\.([A-Za-z0-9_-]{43})$/.exec(jwt) ?? [];
  if (!equalSecrets(proof, hmac('sha256', secret, `${head}.${claims}`).toString('base64url'))) {
    throw new BadPayloadError('the identity is not signed with identitySecret', {
      hint: "Your server signs it as JWT with HS256 and the channel's identitySecret.",
    });
  }
  const header = z.object({ alg: z.literal('HS256') }).safeParse(readPart(head));
  const read = Claims.safeParse(readPart(claims));
  if (!header.success || !read.success) {
    throw new BadPayloadError('the identity is no JWT with HS256, sub and exp', {
      hint: 'It needs the claims sub and exp; name, email and phone_number may be there.',
    });
  }
  if (read.data.exp * 1000 + LEEWAY_MS < now) {
    throw new BadPayloadError('the identity has ended', { hint: 'Sign a new one for each page, good for minutes.' });
  }
  return identityOf(read.data);
}

function identityOf({ sub, name, email, phone_number: phone, ...verified }: z.output<typeof Claims>): Identity {
  return {
    sub,
    ...(name && { name: Array.from(name).slice(0, 50).join('') }),
    ...(email && verified.email_verified !== false && { email }),
    ...(phone && verified.phone_number_verified !== false && { phone }),
  };
}

function proofOf(key: Buffer, text: string): string {
  return hmac('sha256', key, text).toString('base64url');
}

function readPart(text: string): unknown {
  try {
    return parseJson(Buffer.from(text, 'base64url'));
  } catch {
    return undefined;
  }
}
