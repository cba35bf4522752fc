import { z } from 'zod';
import type { ZodType } from 'zod';
import type { Http, HttpRequest } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError, TributaryError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';

/** Where bots call since July 2026; before, it was platform-api.max.ru, and botapi.max.ru before that. */
export const MAX = 'https://platform-api2.max.ru';

export interface MaxRequest extends Pick<
  HttpRequest,
  'method' | 'body' | 'hidden' | 'signal' | 'timeoutMs' | 'maxBytes'
> {
  /** `/messages` */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
}

/** Calls a method of https://dev.max.ru/docs-api and resolves with its answer; throws one of the five errors. */
export type MaxApi = <T>(request: MaxRequest, schema: ZodType<T>) => Promise<T>;

/** The file is still being worked on: the message may be sent in a moment. */
export class NotReadyError extends RetryableError {}

export function createApi(deps: { readonly token: Secret; readonly apiRoot: string; readonly http: Http }): MaxApi {
  const { token, apiRoot, http } = deps;
  return async ({ path, query = {}, ...request }, schema) => {
    const search = new URLSearchParams(query).toString();
    const url = `${apiRoot}${path}${search && `?${search}`}`;
    const what = `${request.method ?? 'GET'} ${path}`;
    const answer = await http
      .send({ ...request, url, headers: { authorization: token.reveal() } })
      .catch((error: unknown) => {
        throw refusalOf(what, error);
      });
    const outcome = Outcome.safeParse(answer.json).data;
    if (outcome?.success === false) {
      throw new PermanentError(`${what}: ${outcome.message}`, { response: { status: 200, text: outcome.message } });
    }
    const read = schema.safeParse(answer.json);
    if (read.success) return read.data;
    throw new RetryableError(`${what}: the answer is none of MAX's`, { outcomeUnknown: request.method === 'POST' });
  };
}

/** Some methods answer 200 and say in the body whether they did it. */
const Outcome = z.object({
  success: z.boolean(),
  message: z
    .string()
    .transform((text) => text.slice(0, 2048))
    .catch('no reason given'),
});

const Refusal = z.object({ code: z.string().max(200), message: z.string().catch('') });

/** How MAX says no, in the words of its answer. What it didn't say itself stays what it is. */
function refusalOf(what: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response } = error;
  const refusal = Refusal.safeParse(jsonOf(Buffer.from(response.text))).data;
  if (!refusal) return error;
  const text = `${what}: ${response.status} ${refusal.code} ${refusal.message}`.trim();
  if (refusal.code === 'verify.token' || error instanceof AuthExpiredError) {
    return new AuthExpiredError(text, { response, hint: 'Copy the token from business.max.ru (Chat-bots), enter it.' });
  }
  if (refusal.code === 'attachment.not.ready') return new NotReadyError(text, { response });
  if (!(error instanceof PermanentError)) return error;
  const hint = hintOf(refusal.code, refusal.message);
  return new PermanentError(text, { response, ...(hint !== undefined && { hint }) });
}

function hintOf(code: string, message: string): string | undefined {
  if (/dialog\.suspended/.test(message)) {
    return 'The customer stopped the bot: he has to start it again, or answer through another channel.';
  }
  if (code === 'chat.denied') return 'The bot may not write there: it has to be in the chat, as an administrator.';
  if (/not\.found/.test(code))
    return 'The chat is gone, or the token is of another bot than the one that was written to.';
  return undefined;
}
