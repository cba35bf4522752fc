import { randomBytes } from 'node:crypto';
import express from 'express';
import type { Express, Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import { escapeHtml } from '../core/escape-html.ts';
import type { Gateway } from '../core/gateway.ts';
import type { NewId } from '../core/id.ts';
import type { UserRow } from '../core/access-rows.ts';
import { hashOf, isOwnOrigin } from './access.ts';
import type { Access } from './access.ts';
import { sendPage } from './pages.ts';

/** How long a link is good for. */
const LINK_MS = 30 * 60_000;

/**
 * One-time links that open a session. A set-up link makes the first admin and is worth nothing once
 * there is one; a sign-in link lets the admin in and takes a key with every scope to make; a user's own link lets him in.
 */
export interface SetUp {
  /** A set-up link, or undefined when there is a user already. */
  link(): Promise<string | undefined>;
  createLink(actor: string): Promise<Link>;
  createUserLink(actor: string, userId: string): Promise<Link>;
  mount(app: Express, limit: RequestHandler): void;
}

interface Link {
  readonly url: string;
  readonly expiresAt: number;
}

type Purpose = 'set_up' | 'sign_in' | `user ${string}`;

const Form = z.object({ t: z.string().min(1).max(200), name: z.string().trim().max(200).default('') });

export function createSetUp(gateway: Gateway, access: Access, newId: NewId): SetUp {
  const { store, clock } = gateway;
  let last: Promise<unknown> = Promise.resolve();

  /** One after the other: two set-up links used at once must not make two admins. */
  function serially<T>(work: () => Promise<T>): Promise<T> {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  }

  /** `whose`: the user whom it lets in, before the secret part. */
  async function createLink(actor: string, purpose: Purpose, whose = ''): Promise<Link> {
    const token = whose + randomBytes(32).toString('base64url');
    const expiresAt = clock.now() + LINK_MS;
    await store.write(['link'], async (tx) => {
      await tx.saveToken(tokenHash(purpose, token), expiresAt);
      await tx.audit({ at: clock.now(), actor, action: 'link.created', target: purpose.replace('user ', '') });
    });
    return { url: `${gateway.publicUrl}/setup?t=${token}`, expiresAt };
  }

  const purposeNow = async (): Promise<Purpose> => ((await firstUser()) ? 'sign_in' : 'set_up');

  async function firstUser(): Promise<UserRow | undefined> {
    const users = await store.read.users();
    return users.filter(({ role }) => role === 'admin').sort((a, b) => a.at - b.at)[0];
  }

  /** Takes the token; who it lets in, or undefined when it is good for nothing. */
  async function enter(token: string, name: string): Promise<UserRow | undefined> {
    return store.write(['users'], async (tx) => {
      const now = clock.now();
      const userId = userIn(token);
      if (userId !== undefined) {
        if (!(await tx.takeToken(tokenHash(`user ${userId}`, token), now))) return undefined;
        // He may have been removed since.
        return (await store.read.users()).find(({ id }) => id === userId);
      }
      // Looked at here, since another process may just be letting somebody in.
      const admin = await firstUser();
      const hash = tokenHash(admin ? 'sign_in' : 'set_up', token);
      if (!(await tx.takeToken(hash, now))) return undefined;
      if (admin) return admin;
      const user: UserRow = { id: newId('usr'), name: name || 'Admin', role: 'admin', at: now };
      await tx.saveUser(user);
      await tx.audit({ at: now, actor: `user:${user.id}`, action: 'user.created', target: user.id });
      return user;
    });
  }

  async function show(request: Request, response: Response): Promise<void> {
    const token = typeof request.query.t === 'string' ? request.query.t : '';
    const name =
      (await purposeNow()) === 'set_up'
        ? '<label>Your name<br><input name="name" required maxlength="200" autocomplete="name" autofocus></label>'
        : '';
    // Previews of links open them, so it takes a press of the button.
    const body = `<form method="post" action="/setup"><input type="hidden" name="t" value="${escapeHtml(token)}">${name}<button>Open the console</button></form>`;
    sendPage(response, 200, { title: name ? 'Set up' : 'Sign in', body });
  }

  async function take(request: Request, response: Response): Promise<void> {
    const form = Form.safeParse(request.body ?? {});
    const foreign = request.headers.origin !== undefined && !isOwnOrigin(request.headers, gateway.publicUrl);
    const user = form.success && !foreign ? await serially(() => enter(form.data.t, form.data.name)) : undefined;
    if (!user) return sendPage(response, 403, EXPIRED);
    response.set('set-cookie', await access.openSession(user.id)).redirect(303, '/');
  }

  return {
    link: async () => ((await firstUser()) ? undefined : (await createLink('start', 'set_up')).url),
    createLink: async (actor) => createLink(actor, await purposeNow()),
    createUserLink: (actor, userId) => createLink(actor, `user ${userId}`, `${userId}.`),
    mount(app, limit) {
      const read = express.urlencoded({ extended: false, inflate: false, limit: 10_000, parameterLimit: 10 });
      app.route('/setup').all(limit).get(show).post(read, take);
    },
  };
}

/** The user whom a link is for. */
function userIn(token: string): string | undefined {
  const end = token.indexOf('.');
  return end < 0 ? undefined : token.slice(0, end);
}

/** The purpose is part of the hash: a link can't be used as what it isn't. */
function tokenHash(purpose: Purpose, token: string): string {
  return hashOf(`${purpose}\n${token}`);
}

const EXPIRED = {
  title: 'This link is no longer valid',
  body: '<p>It was used, is older than 30 minutes, or was copied in part. For a new one, run:</p><p><code>npx tributary admin link</code></p>',
};

export const SIGN_IN = {
  title: 'Sign in',
  body: '<p>For a link that signs you in, run this where Tributary is installed:</p><p><code>npx tributary admin link</code></p>',
};
