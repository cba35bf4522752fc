import { createHmac } from 'node:crypto';
import type { Whole } from './whole.ts';

export const SHOP = 'https://shop.example.com';
export const IDENTITY_SECRET = 'identity-secret-of-the-shop-0123456789';

/** Channels of type `web_chat` for a whole gateway: `site`, and `other` without a site. */
export const CHATS = `
  - { id: site, type: web_chat, allowedOrigins: ['${SHOP}'], identitySecret: ${IDENTITY_SECRET}, maxFileBytes: 4096 }
  - { id: other, type: web_chat }
`;

/** What a shop's server signs; `claims` as they stand, `head` and `secret` may be wrong. */
export function identityOf(claims: object, wrong: { readonly head?: object; readonly secret?: string } = {}): string {
  const { head = { alg: 'HS256', typ: 'JWT' }, secret = IDENTITY_SECRET } = wrong;
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part(head)}.${part(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

interface Said {
  readonly id: string;
  readonly from: 'visitor' | 'team';
  readonly text: string;
  readonly state: string;
  readonly files: readonly { readonly id: string; readonly name: string; readonly mediaType: string; state: string }[];
}

/** A visitor, as the script of the chat behaves; every field of an answer can be looked at. */
export interface FakeVisitor {
  readonly token: string;
  readonly thread: string;
  readonly session: string;
  /** Posts as the page would; answers with the status. */
  post(body: object, headers?: Readonly<Record<string, string>>): Promise<number>;
  write(id: string, text: string, more?: object): Promise<number>;
  acknowledge(state: 'delivered' | 'read', ids: readonly string[]): Promise<number>;
  /** Oldest first. */
  said(query?: string): Promise<Said[]>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

export function askSession(
  whole: Whole,
  headers: Readonly<Record<string, string>> = {},
  channel = 'site',
): Promise<Response> {
  return fetch(`${whole.running.url}/chat/${channel}/session`, { headers });
}

export async function newVisitor(
  whole: Whole,
  { identity, before, channel = 'site' }: { identity?: string; before?: FakeVisitor; channel?: string } = {},
): Promise<FakeVisitor> {
  const answer = await askSession(
    whole,
    {
      ...(identity && { 'tributary-identity': identity }),
      ...(before && { authorization: `Bearer ${before.token}` }),
    },
    channel,
  );
  if (!answer.ok) throw new Error(`no session: ${answer.status} ${await answer.text()}`);
  return asVisitor(whole, (await answer.json()) as { token: string; thread: string }, channel);
}

export function asVisitor(
  whole: Whole,
  { token, thread }: { readonly token: string; readonly thread: string },
  channel = 'site',
): FakeVisitor {
  const session = token.split('.')[0]!;
  const authorization = `Bearer ${token}`;
  const url = () => `${whole.running.url}/chat/${channel}`;
  const visitor: FakeVisitor = {
    token,
    thread,
    session,
    async post(body, headers = {}) {
      const answer = await fetch(url(), {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization, ...headers },
        body: JSON.stringify({ session, ...body }),
      });
      await answer.arrayBuffer();
      return answer.status;
    },
    write: (id, text, more = {}) => visitor.post({ type: 'message', id, text, ...more }),
    acknowledge: (state, ids) => visitor.post({ type: 'receipt', state, ids }),
    async said(query = '') {
      const answer = await visitor.get(`/messages${query}`);
      if (!answer.ok) throw new Error(`not read: ${answer.status}`);
      return ((await answer.json()) as { data: Said[] }).data.reverse();
    },
    get: (path, headers = {}) => fetch(`${url()}${path}`, { headers: { authorization, ...headers } }),
  };
  return visitor;
}
