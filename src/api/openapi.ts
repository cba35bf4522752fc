import { STATUS_CODES } from 'node:http';
import { createDocument } from 'zod-openapi';
import type { ZodOpenApiOperationObject } from 'zod-openapi';
import { z } from 'zod';
import { BASE } from './mount.ts';
import { takesBody } from './operation.ts';
import type { Operation } from './operation.ts';
import { Problem } from './problem.ts';

/** The OpenAPI 3.1 document of the operations, from the schemas that validate. */
export function toOpenApi(operations: readonly Operation[], version: string): object {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const operation of operations) {
    const path = BASE + operation.path;
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: describe(operation) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Tributary',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description: 'Every message that a business receives, as events of tickets.',
    },
    servers: [{ url: '/' }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    security: [{ key: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key: `trb_…`' },
        session: { type: 'apiKey', in: 'cookie', name: 'tributary', description: 'The session of the console' },
      },
    },
  });
}

function describe(operation: Operation): ZodOpenApiOperationObject {
  const { summary, tag, scope, answer, status = 200 } = operation;
  const scopeText = scope === 'any' ? 'Any key or session will do.' : `Scope: \`${scope}\`.`;
  return {
    operationId: operationIdOf(operation),
    summary,
    tags: [tag],
    description: [operation.description, scopeText].filter(Boolean).join('\n\n'),
    requestParams: { path: operation.params, query: operation.query, header: headersOf(operation) },
    ...(takesBody(operation) && {
      requestBody: { required: true, content: { 'application/json': { schema: operation.body } } },
    }),
    responses: {
      [status]: { description: STATUS_CODES[status] ?? '', ...(status !== 204 && { content: contentOf(answer) }) },
      ...(sendsFile(operation) && partOf(operation)),
      default: { description: 'Refused, or failed', content: { 'application/problem+json': { schema: Problem } } },
    },
  };
}

function contentOf(answer: z.ZodType | undefined) {
  if (answer) return { 'application/json': { schema: answer } };
  return { 'application/octet-stream': { schema: z.string().meta({ format: 'binary' }) } };
}

const sendsFile = ({ answer, status }: Operation) => !answer && status !== 204;

function partOf({ answer }: Operation): ZodOpenApiOperationObject['responses'] {
  const headers = z.object({ 'Content-Range': z.string().meta({ description: '`bytes 0-99/1234`' }) });
  return { 206: { description: 'The range of bytes that was asked for', headers, content: contentOf(answer) } };
}

function headersOf(operation: Operation): z.ZodObject {
  const { method, ifMatch, effect } = operation;
  return z.object({
    ...(sendsFile(operation) && {
      Range: z.string().optional().meta({ description: 'One range: `bytes=0-99`, `bytes=100-`, `bytes=-100`' }),
      'If-Range': z.string().optional().meta({ description: 'ETag of the file: all of it when it is another one now' }),
    }),
    ...(method === 'POST' &&
      effect !== 'none' && {
        'Idempotency-Key': z.string().max(255).optional().meta({
          description: 'A repeat with the same key within 24 hours changes nothing and hears the first answer',
        }),
      }),
    ...(ifMatch && { 'If-Match': z.string().optional().meta({ description: 'ETag of the ticket as you know it' }) }),
  });
}

/** `GET /tickets/{id}/messages` → `getTicketsIdMessages` */
function operationIdOf({ method, path }: Operation): string {
  const words = path.split(/[^a-zA-Z]+/).filter(Boolean);
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
