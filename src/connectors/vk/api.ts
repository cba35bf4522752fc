import { z } from 'zod';
import type { Http } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../../core/errors.ts';
import type { TributaryError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';

export const VK = 'https://api.vk.com';
/** Version of the API that calls and events are read in. */
export const VERSION = '5.199';

/** A page of history with its attachments is a few MB. */
const MAX_BYTES = 32 * 1024 * 1024;

export type Parameters = Readonly<Record<string, string | number | undefined>>;

/** A method of https://dev.vk.com/method, its answer read by a schema. Throws one of the five errors. */
export type Call = <T>(
  method: string,
  parameters: Parameters,
  schema: z.ZodType<T>,
  signal?: AbortSignal,
) => Promise<T>;

export function createCall(deps: { readonly token: Secret; readonly apiRoot: string; readonly http: Http }): Call {
  const { token, apiRoot, http } = deps;
  return async (method, parameters, schema, signal) => {
    const form = new URLSearchParams({ access_token: token.reveal(), v: VERSION });
    for (const [name, value] of Object.entries(parameters)) if (value !== undefined) form.set(name, String(value));
    const { json } = await http.send({
      method: 'POST',
      url: `${apiRoot}/method/${method}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      hidden: token.reveal(),
      maxBytes: MAX_BYTES,
      ...(signal && { signal }),
    });
    const refused = Refusal.safeParse(json).data;
    if (refused) {
      const { error_code, error_msg } = refused.error;
      throw refusalOf(method, error_code, error_msg.replaceAll(token.reveal(), '…'));
    }
    const answer = z.object({ response: schema }).safeParse(json);
    if (answer.success) return answer.data.response;
    throw new RetryableError(`${method}: the answer can't be read`, { outcomeUnknown: true });
  };
}

/** VK says no with status 200: https://dev.vk.com/ru/reference/errors */
const Refusal = z.object({ error: z.object({ error_code: z.number(), error_msg: z.string().catch('') }) });

const AGAIN = 'Make a new access key (Manage, API usage, Access tokens; userToken: of the administrator) and enter it.';
const RIGHTS =
  'Give the access key its rights (Manage, API usage, Access tokens): messages, manage, photos, docs, wall.';

/** What a person can do about it, by VK's number. */
const HINTS: Readonly<Record<number, string>> = {
  7: RIGHTS,
  14: 'VK asks for a captcha, which only a person can solve: answer in VK itself this time.',
  15: RIGHTS,
  18: 'The customer has deleted his page, or VK has: answer through another channel.',
  20: RIGHTS,
  203: RIGHTS,
  212: 'Comments are closed there, or the key may not write any.',
  213: 'Comments are closed there, or the key may not write any.',
  222: 'VK takes no links there: send the answer without.',
  900: 'The customer is on the blacklist of the community: take him off it (Manage, Members, Blacklist).',
  901: 'The customer has not allowed messages of the community: he has to write first, or again. Answer through another channel.',
  902: 'The customer takes messages from friends only: answer through another channel.',
  912: 'Switch on bot features: Manage, Messages, Bot settings.',
  917: 'The community is no longer in this chat: add it again.',
  945: 'This chat was closed.',
  950: 'VK lets a community answer here for a limited time only: answer through another channel.',
};

const AUTH = new Set([4, 5, 17, 27, 28, 1117]);
const RETRY = new Set([1, 10, 22, 36]);
/** Milliseconds to rest: 6 is 20 calls a second, 9 the same too often, 29 a method's limit of the day. */
const REST: Readonly<Record<number, number>> = { 6: 1000, 9: 60_000, 29: 3_600_000 };

/** The error that VK's number means. */
export function refusalOf(method: string, code: number, words: string): TributaryError {
  const text = `${method}: ${code} ${words}`;
  const response = { status: 200, text: `${code} ${words}`.slice(0, 2048) };
  const rest = REST[code];
  if (rest !== undefined) return new RateLimitedError(text, rest, { response });
  if (RETRY.has(code)) return new RetryableError(text, { response, outcomeUnknown: true });
  if (/longpoll for this group is not enabled/i.test(words)) {
    const hint =
      'Switch it on: Manage, API usage, Long Poll API; or give the access key the right to manage the community.';
    return new RetryableError(text, { response, hint });
  }
  // The same numbers say that a method isn't for this kind of key: a new one wouldn't help.
  if (AUTH.has(code) && !/unavailable/i.test(words)) return new AuthExpiredError(text, { response, hint: AGAIN });
  const hint = HINTS[code];
  return new PermanentError(text, { response, ...(hint && { hint }) });
}
