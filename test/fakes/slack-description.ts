import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

type Json = Record<string, unknown>;

interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly type: string;
  readonly required?: boolean;
}

const FILE = 'slack/web-api.json';

const query = (name: string, type = 'string', required = false): Parameter => ({ in: 'query', name, type, required });
const body = (name: string, type = 'string', required = false): Parameter => ({ in: 'formData', name, type, required });

/** Newer than the description, which was archived in 2021: https://docs.slack.dev/reference/methods */
const NEWER: readonly (readonly [path: string, method: string, ...parameters: Parameter[]])[] = [
  ['/chat.postMessage', 'post', body('metadata', 'object')],
  ['/conversations.history', 'get', query('include_all_metadata', 'boolean')],
  ['/conversations.replies', 'get', query('include_all_metadata', 'boolean')],
  ['/apps.connections.open', 'post'],
  ['/files.getUploadURLExternal', 'get', query('filename', 'string', true), query('length', 'integer', true)],
  [
    '/files.completeUploadExternal',
    'post',
    body('files', 'array', true),
    body('channel_id'),
    body('thread_ts'),
    body('initial_comment'),
  ],
];

/** Slack's description of what its methods take, where it is beside the repository. */
export function readSlack(): Description | undefined {
  if (!isDescribed(FILE)) return undefined;
  const file = join(import.meta.dirname, '../../../shared/specs', FILE);
  const { paths } = JSON.parse(readFileSync(file, 'utf8')) as { paths: Record<string, Json> };
  for (const [path, method, ...more] of NEWER) {
    const item = (paths[path] ??= {});
    const operation = (item[method] ??= { parameters: [] }) as { parameters: Parameter[] };
    operation.parameters.push(...more);
  }
  // Swagger 2.0 as OpenAPI 3.
  const converted = Object.entries(paths).map(([path, item]) => [
    path,
    Object.fromEntries(
      Object.entries(item).map(([method, operation]) => [
        method,
        operationOf((operation as { parameters: Parameter[] }).parameters),
      ]),
    ),
  ]);
  return readDescription({ openapi: '3.1.0', info: { title: FILE }, paths: Object.fromEntries(converted) as Json });
}

function operationOf(all: readonly Parameter[]): Json {
  // The token goes into the header Authorization, as Slack asks by now.
  const parameters = all.filter(({ name }) => name !== 'token');
  const fields = parameters.filter((parameter) => parameter.in === 'formData');
  const schema = {
    type: 'object',
    properties: Object.fromEntries(fields.map(({ name, type }) => [name, { type }])),
    required: fields.filter(({ required }) => required).map(({ name }) => name),
    additionalProperties: false,
  };
  return {
    parameters: parameters
      .filter((parameter) => parameter.in === 'query')
      .map(({ name, type, required }) => ({ in: 'query', name, required, schema: { type } })),
    requestBody: { content: { 'application/json': { schema } } },
  };
}
