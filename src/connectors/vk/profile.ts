import { z } from 'zod';
import type { Channel } from '../../core/connector.ts';
import type { Call } from './api.ts';

type Profile = NonNullable<Channel['profile']>;

const Users = z.array(
  z.object({ first_name: z.string().catch(''), last_name: z.string().catch(''), deactivated: z.string().optional() }),
);
const Groups = z.object({ groups: z.array(z.object({ name: z.string() })) });

/** What a person or community is called; nobody knows it of a page that was deleted. */
export async function profileOf(call: Call, { kind, value }: Parameters<Profile>[0]): ReturnType<Profile> {
  if (kind !== 'vk') return undefined;
  if (value.startsWith('-')) {
    const { groups } = await call('groups.getById', { group_ids: value.slice(1) }, Groups);
    return groups[0] && { name: groups[0].name };
  }
  const [user] = await call('users.get', { user_ids: value }, Users);
  const name = user?.deactivated === 'deleted' ? '' : [user?.first_name, user?.last_name].filter(Boolean).join(' ');
  return name ? { name } : undefined;
}
