import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Config } from './config.ts';

/**
 * Bitrix24's REST API through an incoming webhook, whose secret stands in the path.
 * https://apidocs.bitrix24.com/settings/how-to-call-rest-api/general-principles.html
 */

const MOST_READ = 16 * 1024 * 1024;
/** Most calls that `batch` takes at once. */
const BATCH = 50;
/** The counter of calls goes down by two a second. */
const RATE_MS = 10_000;
/** A tenth of what is counted goes out every minute. */
const OPERATING_MS = 60_000;

/** Ids are numbers in one method and text in another; as strings here. */
export const Id = z.union([z.number(), z.string().min(1)]).transform(String);

export interface Call {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** How one call of many ended: `read` says what was answered, or throws the refusal. */
export interface Outcome {
  readonly refused: TributaryError | undefined;
  read<T extends z.ZodType>(schema: T): z.output<T>;
}

export type Api = ReturnType<typeof createApi>;

const Refusal = z.object({ error: z.coerce.string(), error_description: z.string().nullish() });
const Answer = z.object({ result: z.unknown(), next: z.number().nullish() });
/** PHP writes a map without entries as a list. */
const map = z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]);
const Batch = z.object({ result: map, result_error: map.nullish() });

export function createApi({ apiRoot, userId, code }: Config, { http }: Pick<Context, 'http'>) {
  async function ask({ method, params }: Call, given: Partial<HttpRequest> = {}) {
    const hidden = code.reveal();
    const url = `${apiRoot}/rest/${userId}/${hidden}/${method}`;
    const headers = { accept: 'application/json' };
    const request: HttpRequest = { maxBytes: MOST_READ, ...given, method: 'POST', url, hidden, headers, body: params };
    const { json } = await http.send(request).catch(inTheirWords);
    const refused = Refusal.safeParse(json);
    if (refused.success) throw refusalOf(refused.data, `${method} was answered with an error`);
    const answer = Answer.safeParse(json);
    if (answer.success && answer.data.result !== undefined) return answer.data;
    throw otherwise(method);
  }

  function read<T extends z.ZodType>(schema: T, method: string, result: unknown): z.output<T> {
    const found = schema.safeParse(result);
    if (found.success) return found.data;
    throw otherwise(method);
  }

  async function some(calls: readonly Call[], signal?: AbortSignal): Promise<Outcome[]> {
    const cmd = Object.fromEntries(calls.map((call, index) => [`c${index}`, `${call.method}?${toQuery(call.params)}`]));
    const { result } = await ask({ method: 'batch', params: { halt: 0, cmd } }, { ...(signal && { signal }) });
    const { result: results, result_error: errors } = read(Batch, 'batch', result);
    return calls.map(({ method }, index): Outcome => {
      const said = Refusal.safeParse(at(errors, index));
      const refused = said.success ? refusalOf(said.data, `${method} was answered with an error`) : undefined;
      return {
        refused,
        read(schema) {
          if (refused) throw refused;
          return read(schema, method, at(results, index));
        },
      };
    });
  }

  return {
    async call<T extends z.ZodType>(schema: T, method: string, params: object, given?: Partial<HttpRequest>) {
      const { result } = await ask({ method, params: { ...params } }, given);
      return read(schema, method, result);
    },
    /** A list, page by page. */
    async *pages<T extends z.ZodType>(
      schema: T,
      { method, params }: Call,
      signal?: AbortSignal,
    ): AsyncGenerator<z.output<T>> {
      for (let start: number | undefined = 0; start !== undefined;) {
        const page: z.output<typeof Answer> = await ask(
          { method, params: { ...params, start } },
          { ...(signal && { signal }) },
        );
        yield read(schema, method, page.result);
        start = page.next ?? undefined;
      }
    },
    /** Questions, fifty to a request; one that is refused leaves the others alone, unless all of them have to wait. */
    async many(calls: readonly Call[], signal?: AbortSignal): Promise<Outcome[]> {
      const all: Outcome[] = [];
      for (let from = 0; from < calls.length; from += BATCH) {
        all.push(...(await some(calls.slice(from, from + BATCH), signal)));
      }
      for (const { refused } of all) if (refused && !(refused instanceof PermanentError)) throw refused;
      return all;
    },
  };
}

function at(values: z.output<typeof map> | null | undefined, index: number): unknown {
  return Array.isArray(values) ? values[index] : values?.[`c${index}`];
}

function otherwise(method: string): RetryableError {
  return new RetryableError(`Bitrix24 answered ${method} with something else than it documents`, {
    outcomeUnknown: true,
    hint: 'Compare `apiRoot` with the address of your Bitrix24.',
  });
}

/** As PHP reads it: `filter[originId]=…`. */
function toQuery(params: object): string {
  const pairs: [string, string][] = [];
  const add = (name: string, value: unknown): void => {
    if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) add(`${name}[${key}]`, inner);
    } else if (typeof value === 'string' || typeof value === 'number') pairs.push([name, String(value)]);
  };
  for (const [name, value] of Object.entries(params)) add(name, value);
  return new URLSearchParams(pairs).toString();
}

/** An answer outside 2xx says what it means in its body. */
function inTheirWords(error: unknown): never {
  if (!(error instanceof TributaryError) || !error.response) throw error;
  const said = Refusal.safeParse(jsonOf(Buffer.from(error.response.text)));
  if (!said.success) throw error;
  throw refusalOf(said.data, error.message, error);
}

/** Only a person can do something about these. */
const FOR_PEOPLE: Readonly<Record<string, string>> = {
  NO_AUTH_FOUND: 'Compare `userId` and `code` with the address of the incoming webhook.',
  INVALID_CREDENTIALS: 'Make a new incoming webhook and enter its `userId` and `code`.',
  insufficient_scope: 'Give the incoming webhook the permissions crm, user_brief and disk.',
  user_access_error: 'Let the user of the webhook use it.',
  OVERLOAD_LIMIT: 'Bitrix24 has blocked its REST API for you: only its support can lift that.',
  PORTAL_DELETED: 'Open the public part of the site again.',
};

/**
 * https://apidocs.bitrix24.com/error-codes.html and /limits.html: too many calls are a 503 here, too much work a 429, and
 * most errors a 400 whose text is in the language of the account.
 */
function refusalOf({ error: code, error_description: words }: z.output<typeof Refusal>, text: string, cause?: unknown) {
  const response = cause instanceof TributaryError ? cause.response : undefined;
  const said = `${text}: ${[code, words?.slice(0, 300)].filter(Boolean).join(', ')}`;
  if (code === 'QUERY_LIMIT_EXCEEDED') return new RateLimitedError(said, RATE_MS, { cause, response });
  if (code === 'OPERATION_TIME_LIMIT') return new RateLimitedError(said, OPERATING_MS, { cause, response });
  const hint = Object.hasOwn(FOR_PEOPLE, code) ? FOR_PEOPLE[code] : undefined;
  if (hint !== undefined) return new AuthExpiredError(said, { cause, response, hint });
  if (cause instanceof TributaryError) return cause;
  if (code === 'INTERNAL_SERVER_ERROR' || code === 'ERROR_UNEXPECTED_ANSWER') {
    return new RetryableError(said, { outcomeUnknown: true });
  }
  return new PermanentError(said, { hint: 'Correct what it names, then replay.' });
}
