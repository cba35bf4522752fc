import { z } from 'zod';
import type { Http } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../../core/errors.ts';
import type { ErrorDetails, TributaryError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';

/** Where bots call, unless `apiRoot` says otherwise. */
export const VIBER = 'https://chatapi.viber.com';

/** Calls a method of https://developers.viber.com/docs/api/rest-bot-api/ and resolves with its answer; throws one of the five errors. */
export type ViberApi = (method: string, body: object, signal?: AbortSignal) => Promise<unknown>;

/** Viber answers 200 whatever happened: what did stands in the body. */
const Outcome = z.object({ status: z.number().int(), status_message: z.string().default('no reason given') });

export function createApi(deps: { readonly token: Secret; readonly apiRoot: string; readonly http: Http }): ViberApi {
  const { token, apiRoot, http } = deps;
  return async (method, body, signal) => {
    const answer = await http.send({
      method: 'POST',
      url: `${apiRoot}/pa/${method}`,
      headers: { 'x-viber-auth-token': token.reveal() },
      body,
      ...(signal && { signal }),
    });
    const outcome = Outcome.safeParse(answer.json);
    if (!outcome.success) {
      throw new RetryableError(`${method}: the answer is none of Viber's`, { outcomeUnknown: true });
    }
    const { status, status_message } = outcome.data;
    if (status === 0) return answer.json;
    // A proxy of one's own may quote the request.
    const message = status_message.replaceAll(token.reveal(), '…').slice(0, 2048);
    throw refusalOf(`${method}: ${status} ${message}`, status, { response: { status: answer.status, text: message } });
  };
}

const TOKEN_HINT = 'Copy the token from Viber (More, Settings, Bots, Edit Info, Your app key), enter it.';
const BLOCKED_HINT = "Ask Viber's support why the bot may not send any more.";
const UNPAID_HINT =
  "The bot's free messages to people who wrote longer ago are used up: arrange payment with Viber, or wait until the customer writes.";
const OLD_APP_HINT = "The customer's Viber is too old for bots: answer through another channel.";

/** Nothing will work until a person has acted. */
const NEEDS_PERSON: Readonly<Record<number, string>> = {
  2: TOKEN_HINT,
  7: BLOCKED_HINT,
  8: TOKEN_HINT,
  9: BLOCKED_HINT,
  15: BLOCKED_HINT,
};

/** This request will never work; those without a hint are ours to repair. */
const FINAL: Readonly<Record<number, string | undefined>> = {
  3: undefined,
  4: undefined,
  5: 'The customer has left Viber: answer through another channel.',
  6: 'The customer turned messages from the bot off: he has to write to it again, or answer through another channel.',
  11: OLD_APP_HINT,
  13: OLD_APP_HINT,
  14: undefined,
  21: "The bot may not send to the customer's country: answer through another channel.",
  23: UNPAID_HINT,
  24: UNPAID_HINT,
};

const LATER: Readonly<Record<number, string>> = {
  1: 'PUBLIC_URL must be reached from the internet, with a certificate of a public authority.',
  10: 'Restart with PUBLIC_URL set to an https address that Viber reaches: the webhook is registered then.',
};

/** https://developers.viber.com/docs/api/rest-bot-api/#error-codes */
function refusalOf(text: string, status: number, details: ErrorDetails): TributaryError {
  const person = NEEDS_PERSON[status];
  if (person !== undefined) return new AuthExpiredError(text, { ...details, hint: person });
  if (status in FINAL) {
    const hint = FINAL[status];
    return new PermanentError(text, { ...details, ...(hint !== undefined && { hint }) });
  }
  // Either of them is 12: too many to one customer who doesn't answer, or too many in all.
  if (status === 12 && !/without reply/i.test(text)) return new RateLimitedError(text, undefined, details);
  const hint =
    status === 12
      ? 'Viber takes 100 messages an hour to somebody who does not answer: it goes out later.'
      : LATER[status];
  // Viber says that it did not do it.
  return new RetryableError(text, { ...details, ...(hint !== undefined && { hint }) });
}
