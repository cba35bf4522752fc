import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

const FILE = 'discord/api-v10.json';

const id = { $ref: '#/components/schemas/SnowflakeType' };
const inPath = (name: string) => ({ name, in: 'path', required: true, schema: id });
const inQuery = (name: string, schema: object = id) => ({ name, in: 'query', schema });
const get = (...parameters: object[]) => ({ get: { parameters, responses: { 200: { description: 'found' } } } });

/** Left out of the slice beside the repository: https://discord.com/developers/docs/resources/guild and those of users and applications. */
const LEFT_OUT: Readonly<Record<string, object>> = {
  '/applications/@me': get(),
  '/users/@me/guilds': get(
    inQuery('before'),
    inQuery('after'),
    inQuery('limit', { type: 'integer', minimum: 1, maximum: 200 }),
    inQuery('with_counts', { type: 'boolean' }),
  ),
  '/guilds/{guild_id}/channels': get(inPath('guild_id')),
  '/guilds/{guild_id}/threads/active': get(inPath('guild_id')),
};

/** Discord's description of its REST API, where it is beside the repository. */
export function readDiscord(): Description | undefined {
  if (!isDescribed(FILE)) return undefined;
  const pointerOf = (path: string) => `/paths/${path.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const more = Object.entries(LEFT_OUT).map(([path, item]) => [pointerOf(path), item] as const);
  return readDescription(FILE, Object.fromEntries(more));
}
