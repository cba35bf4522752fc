import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { RetryableError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';

/** REST 2.0 (https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html): ids come as numbers here and as strings there. */
export const Id = z.union([z.string(), z.number().transform(String)]);

export interface Api {
  /** An answer of another shape is thrown as one whose outcome is unknown. */
  ask<T extends z.ZodType>(schema: T, request: Call): Promise<z.output<T>>;
}

export interface Call {
  readonly method?: 'POST' | 'PUT';
  /** Below `/REST/2.0`, with every name in it encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** Pages of lists, and tickets with many fields, are larger than what is read by default. */
const MOST_READ = 4 * 1024 * 1024;

export function createApi(config: { readonly apiRoot: string; readonly token: Secret }, http: Context['http']): Api {
  return {
    async ask(schema, { path, query, maxBytes = MOST_READ, ...rest }) {
      const request: HttpRequest = {
        ...rest,
        url: addressOf(config.apiRoot, path, query),
        headers: { authorization: `token ${config.token.reveal()}`, accept: 'application/json' },
        maxBytes,
      };
      const { json } = await http.send(request);
      const result = schema.safeParse(json);
      if (result.success) return result.data;
      throw new RetryableError('Request Tracker answered something else than it documents', { outcomeUnknown: true });
    },
  };
}

export function addressOf(apiRoot: string, path: string, query: Call['query'] = {}): string {
  const search = new URLSearchParams(query).toString();
  return `${apiRoot.replace(/\/$/, '')}/REST/2.0/${path}${search && `?${search}`}`;
}

/** A value in its query language. Names and ids of ours have no quotes; whoever takes others in must escape them. */
export function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
