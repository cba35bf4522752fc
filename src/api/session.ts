import { z } from 'zod';
import { NotFoundError } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import { toTime } from '../core/ticket.ts';
import type { UserRow } from '../core/access-rows.ts';
import type { Access } from './access.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import { pageFrom, pageOf, PageQuery, TimeText, toPageRequest } from './schemas.ts';
import type { SetUp } from './setup.ts';

const tag = 'Access';

export const User = z
  .object({ id: z.string(), name: z.string(), role: z.enum(['admin', 'agent']), createdAt: TimeText })
  .meta({ id: 'User' });

export const toUser = ({ id, name, role, at }: UserRow) => ({ id, name, role, createdAt: toTime(at) });

export function sessionOperations({ store }: Gateway, access: Access, setUp: SetUp): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/session',
      scope: 'any',
      tag,
      summary: 'Show who you are and what you may do',
      answer: z.object({
        id: z.string().meta({ description: 'As the audit log names you: `user:usr_…` or `key:key_…`' }),
        name: z.string(),
        scopes: z.array(z.string()),
        expiresAt: TimeText.nullable().meta({ description: 'Of a session; null for keys' }),
      }),
      async handle({ actor: { id, name, scopes, session } }) {
        return { body: { id, name, scopes, expiresAt: session ? toTime(session.expiresAt) : null } };
      },
    }),
    operation({
      method: 'DELETE',
      path: '/session',
      scope: 'any',
      tag,
      summary: 'Sign out',
      description: 'Closes the sockets of the session too.',
      status: 204,
      async handle({ actor }) {
        if (!actor.session) throw new NotFoundError('There is no session: a key is revoked with DELETE /keys/:id');
        return { headers: { 'set-cookie': await access.closeSession(actor.session.hash) } };
      },
    }),
    operation({
      method: 'GET',
      path: '/users/me',
      scope: 'any',
      tag,
      summary: 'Show the user whose session it is',
      answer: User,
      async handle({ actor }) {
        if (!actor.session) throw new NotFoundError('A key belongs to no user');
        return { body: toUser(actor.session.user) };
      },
    }),
    operation({
      method: 'GET',
      path: '/users',
      scope: 'tickets:read',
      tag,
      summary: 'List the people who can sign in',
      description: 'A ticket is given to one of them by his `id` as its `assignee`.',
      query: PageQuery,
      answer: pageOf(User),
      async handle({ query }) {
        return { body: pageFrom((await store.read.users()).map(toUser), toPageRequest(query)) };
      },
    }),
    operation({
      method: 'POST',
      path: '/admin/link',
      scope: '*',
      tag,
      summary: 'Make a one-time link that signs the admin in',
      description: 'Valid for 30 minutes. While there is no user yet, it is the set-up link.',
      status: 201,
      answer: z.object({ url: z.string().nullable(), expiresAt: TimeText }),
      async handle({ actor }) {
        const { url, expiresAt } = await setUp.createLink(actor.id);
        const view = { expiresAt: toTime(expiresAt) };
        return { body: { url, ...view }, kept: { url: null, ...view } };
      },
    }),
  ];
}
