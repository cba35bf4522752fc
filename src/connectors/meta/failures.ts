import { z } from 'zod';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';

/**
 * Meta's errors. Code and subcode say what happened; HTTP statuses differ from version to version.
 * https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
 */

const TOKEN =
  'The access token has ended: its owner changed his password, left, or took it back. Make a new one, enter it.';
const RIGHTS = 'Give the access token the permissions that the page of this channel in the documentation lists.';
const WINDOW = 'He wrote too long ago: answer when he writes again, or in Meta’s own inbox.';
const UNREACHABLE = 'He has blocked the account, deleted the chat or left: answer through another channel.';
const FILE = 'Meta takes no such file: send a PDF, JPEG, PNG or MP4 below 25 MB instead (pictures: 8 MB), or a link.';

/** Of the token: nothing works until a person has acted. */
const ENDED: ReadonlySet<number> = new Set([102, 104, 190, 458, 459, 460, 463, 467]);
/** Of what an app asks in all: the account's rest. Meta doesn't say for how long. */
const PACING: ReadonlySet<number> = new Set([4, 17, 32, 613, 80001, 80002, 80005, 80006]);
/** Passes by itself. */
const PASSING: ReadonlySet<number> = new Set([1, 2, 1200]);

/** What one message failed by: by subcode, or by a code that says as much. */
const REFUSING: Readonly<Record<number, string>> = {
  2018065: WINDOW,
  2018278: WINDOW,
  2534022: WINDOW,
  551: UNREACHABLE,
  1545041: UNREACHABLE,
  2018001: UNREACHABLE,
  2018108: UNREACHABLE,
  2534014: UNREACHABLE,
  2018008: FILE,
  2018047: FILE,
  2018109: FILE,
  1893063: 'Meta keeps the Page from sending for a while: its quality page says why, and until when.',
  368: 'Meta takes the account’s messages for abuse: its quality page says what is to be done.',
};

const Refusal = z.object({
  error: z.object({ code: z.number(), error_subcode: z.number().optional(), message: z.string().default('') }),
});

/** The error that an answer of Meta means, where it was Meta that answered. `what` is the call in words. */
export function failureOf(what: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || !error.response) return error;
  const { data } = Refusal.safeParse(readable(error.response.text));
  if (!data) return error;
  const { code, error_subcode: subcode, message } = data.error;
  const number = [code, subcode].filter((part) => part !== undefined).join('/');
  return errorOf({ code, subcode }, `${what}: ${number} ${message}`, error);
}

interface Said {
  readonly code: number;
  readonly subcode: number | undefined;
}

function errorOf(said: Said, text: string, told: TributaryError): TributaryError {
  const { code, subcode } = said;
  const response = told.response && { response: told.response };
  if (ENDED.has(code)) return new AuthExpiredError(text, { ...response, hint: TOKEN });
  const hint = REFUSING[subcode ?? code] ?? REFUSING[code];
  if (hint !== undefined) return new PermanentError(text, { ...response, hint });
  if (isOfRights(said)) return new AuthExpiredError(text, { ...response, hint: RIGHTS });
  if (PACING.has(code)) {
    return new RateLimitedError(text, told instanceof RateLimitedError ? told.retryAfterMs : undefined, response);
  }
  // It was Meta that answered, and it says that it did not do it.
  if (PASSING.has(code)) return new RetryableError(text, response);
  return new PermanentError(text, response);
}

/** With a subcode it speaks of one message, without one of what the app may do at all. */
function isOfRights({ code, subcode }: Said): boolean {
  return subcode === undefined && (code === 3 || code === 10 || (code >= 200 && code <= 299));
}

function readable(text: string): unknown {
  try {
    return parseJson(Buffer.from(text));
  } catch {
    return undefined;
  }
}
