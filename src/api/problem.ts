import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import {
  AuthExpiredError,
  BadPayloadError,
  ConflictError,
  NotFoundError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../core/errors.ts';
import type { Problem as FieldProblem } from '../core/errors.ts';

/** RFC 9457, with a `code` to switch on and what is wrong with each field. */
export const Problem = z
  .object({
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string(),
    hint: z.string().optional(),
    errors: z
      .array(z.object({ pointer: z.string(), message: z.string() }))
      .meta({ description: 'RFC 6901 pointers into the body; `/query/…` and `/path/…` for parameters' }),
    requestId: z.string(),
  })
  .meta({ id: 'Problem' });

/** A refusal of the API's own. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly problems: readonly FieldProblem[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    text: string,
    options: { problems?: readonly FieldProblem[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(text);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.problems = options.problems ?? [];
    this.headers = options.headers ?? {};
  }
}

interface Mapped {
  readonly status: number;
  readonly code: string;
  readonly text: string;
  readonly hint?: string | undefined;
  readonly problems?: readonly FieldProblem[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** The one place that turns what was thrown into an answer. What isn't ours is never quoted. */
export function toProblem(
  error: unknown,
  requestId: string,
): { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: object } {
  const { status, code, text, hint, problems = [], headers = {} } = mapped(error);
  const title = STATUS_CODES[status] ?? 'Error';
  return {
    status,
    headers,
    body: { title, status, detail: text, code, ...(hint !== undefined && { hint }), errors: problems, requestId },
  };
}

function mapped(error: unknown): Mapped {
  if (error instanceof ApiError) return { ...pick(error), text: error.message };
  if (error instanceof TributaryError) return { ...ofTributary(error), text: error.message, hint: error.hint };
  return ofExpress(error) ?? { status: 500, code: 'internal', text: 'Something went wrong here. The log says more.' };
}

function pick({ status, code, problems, headers }: ApiError) {
  return { status, code, problems, headers };
}

function ofTributary(error: TributaryError): Omit<Mapped, 'text' | 'hint'> {
  if (error instanceof NotFoundError) return { status: 404, code: 'not_found' };
  if (error instanceof ConflictError) return { status: 409, code: 'conflict' };
  if (error instanceof BadPayloadError) {
    // 401 is what an unsigned sender of a webhook hears; here the caller is known.
    const status = error.status === 401 ? 400 : error.status;
    return { status, code: status === 422 ? 'unprocessable' : 'invalid_request', problems: error.problems };
  }
  if (error instanceof PermanentError) return { status: 422, code: 'unprocessable' };
  if (error instanceof RateLimitedError) return unavailable('busy', error.retryAfterMs);
  if (error instanceof AuthExpiredError) return { status: 502, code: 'credentials_refused' };
  return unavailable('unavailable', error instanceof RetryableError ? 5000 : undefined);
}

function unavailable(code: string, retryAfterMs = 5000): Omit<Mapped, 'text' | 'hint'> {
  return { status: 503, code, headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) } };
}

/** What Express and its body reader throw: a status with a text that quotes the request, so the text is left out. */
function ofExpress(error: unknown): Mapped | undefined {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  if (status === 413) return { status, code: 'too_large', text: 'The body is too large.' };
  if (status === 415)
    return {
      status,
      code: 'unsupported_media_type',
      text: 'Content-Encoding is not accepted: send the body as it is.',
    };
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return { status: 400, code: 'invalid_request', text: 'The request can’t be read.' };
  }
  return undefined;
}

/** Reads a value by its schema; throws 400 that names every field at fault. */
export function parsed<T extends z.ZodType>(schema: T, value: unknown, where: '' | '/query' | '/path'): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => toFieldProblems(issue, where)).slice(0, 50);
  throw new ApiError(400, 'invalid_request', 'The request has fields at fault.', { problems });
}

function toFieldProblems(issue: z.core.$ZodIssue, where: string): FieldProblem[] {
  const at = where + issue.path.map((part) => `/${escapePart(String(part))}`).join('');
  if (issue.code !== 'unrecognized_keys') return [{ pointer: at, message: issue.message }];
  return issue.keys.map((key) => ({ pointer: `${at}/${escapePart(key)}`, message: 'is unknown' }));
}

function escapePart(part: string): string {
  return part.slice(0, 200).replaceAll('~', '~0').replaceAll('/', '~1');
}
