import { z } from 'zod';
import { NotFoundError } from '../core/errors.ts';
import { toTime } from '../core/ticket.ts';
import type { Access } from './access.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import { TimeText } from './schemas.ts';
import type { SetUp } from './setup.ts';

const tag = 'Access';

const User = z
  .object({ id: z.string(), name: z.string(), role: z.enum(['admin', 'agent']), createdAt: TimeText })
  .meta({ id: 'User' });

export function sessionOperations(access: Access, setUp: SetUp): Operation[] {
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
        const { id, name, role, at } = actor.session.user;
        return { body: { id, name, role, createdAt: toTime(at) } };
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
