import { z } from 'zod';
import { withAccessToken } from '../../core/access-tokens.ts';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { RetryableError, isRefused } from '../../core/errors.ts';
import { momentOf } from '../../core/local-time.ts';
import type { Config } from './config.ts';
import { errorIn, explained } from './errors.ts';
import { createSession } from './session.ts';

/**
 * Salesforce's REST API, as far as it is used.
 * https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/intro_rest.htm
 */

const BASE = '/services/data/v62.0';
const LIST_BYTES = 16 * 1024 * 1024;
const WRITE_MS = 120_000;

/** Eighteen characters, the first fifteen of which say it all. */
export const Id = z.string().regex(/^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/);

export const Time = z.string().transform((text, context) => {
  const at = momentOf(text, 'UTC');
  if (at !== undefined) return at;
  context.addIssue({ code: 'custom', message: 'is no time' });
  return z.NEVER;
});

const Made = z.object({ id: Id });
const Row = z.object({ Id });
const Composed = z.object({
  compositeResponse: z.array(z.object({ httpStatusCode: z.number(), body: z.unknown() })).min(1),
});
const Field = z.object({
  name: z.string(),
  externalId: z.boolean().default(false),
  unique: z.boolean().default(false),
  createable: z.boolean().default(false),
  picklistValues: z.array(z.object({ value: z.string(), active: z.boolean().default(true) })).default([]),
});
export type Field = z.output<typeof Field>;

/** One record that is written. */
export interface Step {
  /** By which later ones name it. */
  readonly name: string;
  readonly method: 'POST' | 'PATCH' | 'GET';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, string | boolean>>;
  /** Fields whose value is an id, or that of an earlier one: `@{case.id}`. */
  readonly refs?: Readonly<Record<string, string>>;
}

export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, context: Pick<Context, 'http' | 'clock'>) {
  const { http } = context;
  const session = createSession(config, context);

  const ask = async (path: string, request: Partial<HttpRequest> = {}): Promise<unknown> => {
    const { json } = await withAccessToken(session.tokens, (token) =>
      http.send({
        maxBytes: LIST_BYTES,
        ...request,
        url: `${session.root()}${BASE}${path}`,
        headers: { authorization: `Bearer ${token}`, accept: 'application/json', ...request.headers },
      }),
    ).catch(explained);
    return json;
  };
  function read<T extends z.ZodType>(schema: T, json: unknown, method = 'GET'): z.output<T> {
    const found = schema.safeParse(json);
    if (found.success) return found.data;
    throw new RetryableError(`Salesforce answered ${method} with something else than it documents`, {
      outcomeUnknown: method !== 'GET',
      hint: 'Compare `apiRoot` with the My Domain address of your organisation.',
    });
  }

  /** All of them, or none: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/requests_composite.htm */
  async function compose(steps: readonly Step[]): Promise<string> {
    const compositeRequest = steps.map(({ name, method, path, headers, body, refs }) => ({
      referenceId: name,
      method,
      url: `${BASE}${path}`,
      ...(headers && { httpHeaders: headers }),
      ...(body && { body: { ...withoutReferences(body), ...refs } }),
    }));
    const body = { allOrNone: true, collateSubrequests: false, compositeRequest };
    const json = await ask('/composite', { method: 'POST', body, timeoutMs: WRITE_MS });
    const { compositeResponse: answers } = read(Composed, json, 'POST');
    const refused = answers.filter(({ httpStatusCode }) => httpStatusCode < 200 || httpStatusCode >= 300);
    // The others are only said to be undone.
    const first = refused.find((each) => !isHalted(each.body)) ?? refused[0];
    if (!first) return read(Made, answers[0]?.body, 'POST').id;
    const response = { status: first.httpStatusCode, text: JSON.stringify(first.body ?? null).slice(0, 2048) };
    throw errorIn(first.body, response) ?? new RetryableError('Salesforce undid it and did not say why', { response });
  }

  return {
    user: () => session.user(),
    /** Writes one record, or several of which there is never one without the others; resolves with the id of the first. */
    async write(steps: readonly Step[]): Promise<string> {
      const [only, ...others] = steps;
      if (!only || others.length > 0) return compose(steps);
      const { method, path, headers, body, refs } = only;
      const request = { method, ...(headers && { headers }), body: { ...body, ...refs }, timeoutMs: WRITE_MS };
      return read(Made, await ask(path, request), method).id;
    },
    /** The id of the record that has a value in a field of external ids. */
    async idOf(object: string, field: string, value: string): Promise<string | undefined> {
      try {
        return read(Row, await ask(`/sobjects/${object}/${field}/${encodeURIComponent(value)}?fields=Id`)).Id;
      } catch (error) {
        if (isRefused(error, 404)) return undefined;
        throw error;
      }
    },
    async row<T extends z.ZodType>(schema: T, object: string, id: string, fields: readonly string[]) {
      return read(schema, await ask(`/sobjects/${object}/${encodeURIComponent(id)}?fields=${fields.join(',')}`));
    },
    /** Without the rules that give a case to somebody: they are for new ones. */
    async change(id: string, body: Readonly<Record<string, string>>): Promise<void> {
      const headers = { 'Sforce-Auto-Assign': 'FALSE' };
      await ask(`/sobjects/Case/${encodeURIComponent(id)}`, { method: 'PATCH', headers, body });
    },
    async query<T extends z.ZodType>(schema: T, soql: string, signal?: AbortSignal): Promise<z.output<T>[]> {
      const json = await ask(`/query?q=${encodeURIComponent(soql)}`, { ...(signal && { signal }) });
      return read(z.object({ records: z.array(schema) }), json).records;
    },
    async fields(object: string): Promise<readonly Field[]> {
      return read(z.object({ fields: z.array(Field) }), await ask(`/sobjects/${object}/describe`)).fields;
    },
  };
}

function isHalted(body: unknown): boolean {
  return z.array(z.object({ errorCode: z.literal('PROCESSING_HALTED') })).safeParse(body).success;
}

/** In a call of several, `@{…}` names another of them, whoever wrote it: a space of no width makes it words again. */
function withoutReferences(body: NonNullable<Step['body']>): NonNullable<Step['body']> {
  const pairs = Object.entries(body).map(([name, value]) => [
    name,
    typeof value === 'string' ? value.replaceAll('@{', '@\u200b{') : value,
  ]);
  return Object.fromEntries(pairs) as NonNullable<Step['body']>;
}

/** https://developer.salesforce.com/docs/platform/salesforce-soql-sosl/guide/sforce-api-calls-soql-select-quotedstringescapes.html */
export function soqlText(value: string): string {
  const escaped = value.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  return `'${escaped.replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`;
}

/** Times there have whole seconds. */
export function soqlTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** Ids of people come with 15 and with 18 characters. */
export function isSame(a: string, b: string): boolean {
  return a.slice(0, 15) === b.slice(0, 15);
}
