import { z } from 'zod';
import { ConflictError, NotFoundError } from '../core/errors.ts';
import type { UserRow } from '../core/access-rows.ts';
import type { Gateway } from '../core/gateway.ts';
import type { NewId } from '../core/id.ts';
import { toTime } from '../core/ticket.ts';
import type { Access, Actor } from './access.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import { ApiError } from './problem.ts';
import { IdParams, TimeText } from './schemas.ts';
import { covers, roleScopes } from './scopes.ts';
import { toUser, User } from './session.ts';
import type { SetUp } from './setup.ts';

const tag = 'Access';
const Role = z.enum(['admin', 'agent']);

const LinkView = z.object({
  url: z.string().nullable().meta({ description: 'Null in the repeat of a request' }),
  expiresAt: TimeText,
});

export function userOperations(
  { store, clock }: Gateway,
  { access, setUp, newId }: { readonly access: Access; readonly setUp: SetUp; readonly newId: NewId },
): Operation[] {
  async function userOf(id: string): Promise<UserRow> {
    const user = (await store.read.users()).find((one) => one.id === id);
    if (!user) throw new NotFoundError('There is no such user');
    return user;
  }

  return [
    operation({
      method: 'POST',
      path: '/users',
      scope: 'users:write',
      tag,
      summary: 'Invite somebody',
      description:
        'The answer has the one-time link that lets him in, valid for 30 minutes. Nobody can invite one who may do more than himself.',
      body: z.strictObject({ name: z.string().trim().min(1).max(200), role: Role.default('agent') }),
      status: 201,
      answer: User.extend({ link: LinkView }).meta({ id: 'NewUser' }),
      async handle({ body, actor }) {
        mayHandle(actor, body.role);
        const user: UserRow = { id: newId('usr'), ...body, at: clock.now() };
        await store.write(['users'], async (tx) => {
          await tx.saveUser(user);
          await tx.audit({ at: user.at, actor: actor.id, action: 'user.created', target: user.id, detail: user.role });
        });
        return withLink(await setUp.createUserLink(actor.id, user.id), (link) => ({ ...toUser(user), link }));
      },
    }),
    operation({
      method: 'POST',
      path: '/users/{id}/link',
      scope: 'users:write',
      tag,
      summary: 'Make a one-time link that signs a user in',
      description: 'Valid for 30 minutes. Whoever has it is that user: hand it over in private.',
      params: IdParams,
      status: 201,
      answer: LinkView,
      async handle({ params, actor }) {
        const { id, role } = await userOf(params.id);
        mayHandle(actor, role);
        return withLink(await setUp.createUserLink(actor.id, id), (link) => link);
      },
    }),
    operation({
      method: 'DELETE',
      path: '/users/{id}',
      scope: 'users:write',
      tag,
      summary: 'Remove a user',
      description: 'His sessions end at once. What he did keeps his id. The last admin can’t be removed.',
      params: IdParams,
      status: 204,
      async handle({ params, actor }) {
        const { id, role } = await userOf(params.id);
        mayHandle(actor, role);
        await store.write(['users'], async (tx) => {
          // Decided by the statement itself: two admins may be removing each other.
          const deleted = await tx.deleteUser(id);
          if (!deleted && role === 'admin') throw new ConflictError('The last admin can’t be removed');
          await tx.audit({ at: clock.now(), actor: actor.id, action: 'user.removed', target: id });
        });
        access.revoked();
        return {};
      },
    }),
  ];
}

/** Whoever has a link of somebody may do what he may. */
function mayHandle(actor: Actor, role: UserRow['role']): void {
  if (covers(actor.scopes, roleScopes[role])) return;
  throw new ApiError(403, 'scope_missing', 'This user may do more than you.');
}

function withLink<T>(
  { url, expiresAt }: { readonly url: string; readonly expiresAt: number },
  toBody: (link: z.output<typeof LinkView>) => T,
) {
  const at = toTime(expiresAt);
  return { body: toBody({ url, expiresAt: at }), kept: toBody({ url: null, expiresAt: at }) };
}
