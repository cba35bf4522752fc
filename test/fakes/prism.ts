import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInstance, getHttpOperationsFromSpec } from '@stoplight/prism-http';
import type { IHttpConfig, IHttpRequest } from '@stoplight/prism-http';
import type { Asked } from './openapi.ts';

const SPECS = join(import.meta.dirname, '../../../shared/specs');

const BOUNDARY = 'a-part-of-a-form';

interface Described {
  readonly paths: Record<string, Record<string, unknown>>;
  readonly servers?: unknown;
}

/** How it ends where the description has no answer for a wrong request. */
interface Refusal {
  readonly message: string;
  readonly detail?: string;
  readonly additional?: {
    readonly validation?: readonly { readonly location: readonly string[]; readonly message: string }[];
  };
}

/** What the mock server Prism finds wrong with a request, by the vendor's own description; nothing where it fits. */
export type Prism = (asked: Asked) => Promise<string[]>;

/**
 * Prism's reading of `../shared/specs/<file>` (OpenAPI or Swagger), without our amendments. `paths`: the requests that it
 * will be asked for, since reading all of a large description takes it ten seconds and more.
 */
export async function openPrism(file: string, paths: readonly string[]): Promise<Prism> {
  const spec = JSON.parse(readFileSync(join(SPECS, file), 'utf8')) as Described;
  const asked = [...new Set(paths.map((path) => path.split('?')[0]!))];
  // Prism looks for a server of its description in the address; ours is the stand-in's.
  const used = Object.entries(spec.paths)
    .filter(([template]) => asked.some((path) => patternOf(template).test(path)))
    .map(([template, item]) => [template, withoutServers(item)] as const);
  const operations = await getHttpOperationsFromSpec({
    ...spec,
    servers: undefined,
    paths: Object.fromEntries(used),
  });
  const config: IHttpConfig = {
    mock: { dynamic: false },
    isProxy: false,
    upstreamProxy: undefined,
    checkSecurity: false,
    validateRequest: true,
    validateResponse: false,
    errors: false,
  };
  const instance = createInstance(config, { logger: quiet() as never });

  return async (request) => {
    const outcome = await instance.request(toInput(request), operations)();
    if (outcome._tag === 'Right') {
      return outcome.right.validations.input.map(({ path = [], message }) => `${path.join('.')}: ${message}`);
    }
    const { message, detail, additional } = outcome.left as Refusal;
    const found = additional?.validation ?? [];
    if (found.length === 0) return [`${message}: ${detail ?? ''}`];
    return found.map(({ location, message: why }) => `${location.join('.')}: ${why}`);
  };
}

function withoutServers(item: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(item).filter(([key]) => key !== 'servers');
  return Object.fromEntries(
    entries.map(([key, value]) => [key, isObject(value) ? { ...value, servers: undefined } : value]),
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function patternOf(template: string): RegExp {
  const pattern = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]*\}/g, '[^/]+');
  return new RegExp(`^${pattern}$`);
}

function toInput({ method, path, headers: given = {}, body }: Asked) {
  const { pathname, searchParams } = new URL(path, 'http://stand-in.invalid');
  const query = Object.fromEntries(
    [...new Set(searchParams.keys())].map((name) => {
      const values = searchParams.getAll(name);
      return [name, values.length === 1 ? values[0]! : values];
    }),
  );
  const headers = Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
  delete headers['content-length'];
  const type = headers['content-type']?.split(';')[0];
  if (body === undefined) delete headers['content-type'];
  else
    headers['content-type'] =
      type === 'multipart/form-data' ? `${type}; boundary=${BOUNDARY}` : type || 'application/json';
  return {
    method: method.toLowerCase() as IHttpRequest['method'],
    url: { path: decodeURI(pathname), query },
    headers,
    body: isObject(body) ? written(type, body) : body,
  };
}

/** Forms as text, which Prism takes apart itself. */
function written(type: string | undefined, body: object): unknown {
  const fields = Object.entries(body).flatMap(([name, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : value === undefined ? [] : [value]).map((one): [string, string] => [
      name,
      typeof one === 'string' ? one : JSON.stringify(one),
    ]),
  );
  if (type === 'application/x-www-form-urlencoded') return new URLSearchParams(fields).toString();
  if (type !== 'multipart/form-data') return body;
  const parts = fields.map(
    ([name, value]) => `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return `${parts.join('')}--${BOUNDARY}--\r\n`;
}

function quiet(): object {
  const logger: Record<string, unknown> = {};
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'success']) logger[level] = () => undefined;
  return Object.assign(logger, { child: () => logger });
}
