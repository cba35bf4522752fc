import { z } from 'zod';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { Problem } from './payload.ts';

/**
 * Meta's errors. The code says what happened; HTTP statuses differ from version to version.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
 */

const TOKEN =
  'Make a new access token of a system user (Business settings, System users) with whatsapp_business_messaging, enter it.';
const RIGHTS =
  'Give the system user of the token the number’s WhatsApp account, and the token whatsapp_business_messaging.';
const ACCOUNT = 'Look into the WhatsApp Manager: the account or the number may not send until it is put right there.';
const TEMPLATE = 'Look at the template in the WhatsApp Manager: its name, language, state and places for values.';
const UNREACHABLE =
  'He may have no WhatsApp, an old one, or have blocked the business: answer through another channel.';

/** Nothing works until a person has acted. */
const HALTING: Readonly<Record<number, string>> = {
  0: TOKEN,
  102: TOKEN,
  104: TOKEN,
  190: TOKEN,
  3: RIGHTS,
  10: RIGHTS,
  131005: RIGHTS,
  33: 'The number was removed from the account: check `phoneNumberId`.',
  368: ACCOUNT,
  131031: ACCOUNT,
  131042: 'Meta wants a way to pay: Business settings, Billing.',
  131045: ACCOUNT,
  133010: 'The number is not registered: do so in the WhatsApp Manager.',
};

/** Too much: how long to rest, milliseconds; undefined: Meta doesn't say. */
const PACING: Readonly<Record<number, number | undefined>> = {
  4: undefined,
  80007: undefined,
  130429: undefined,
  // To this one person; one message in six seconds is the rule.
  131056: 6000,
  131048: 60 * 60_000,
  133016: 60 * 60_000,
};

/** Passes by itself. */
const PASSING: ReadonlySet<number> = new Set([1, 2, 131000, 131016, 131057, 133004]);

/** Isn't sent, whatever is done. */
const REFUSING: Readonly<Record<number, string>> = {
  100: 'Meta’s words name what it does not take; where something doesn’t exist, check the ids in the settings.',
  130472: 'Meta holds messages to this person back for an experiment: answer through another channel.',
  131021: 'It is the number of the business itself.',
  131026: UNREACHABLE,
  131030: 'A test number only writes to the numbers listed for it: API setup, To, Manage phone number list.',
  131047: 'He wrote more than 24 hours ago: answer with a template.',
  131049: 'Meta limits what people get of businesses: answer when he writes again.',
  131050: 'He wants no marketing messages: answer when he writes again.',
  131052: 'The file is no longer there, or Meta can’t read it: ask the customer to send it again.',
  131053: 'Meta takes no such file: send a PDF, JPEG, PNG, MP3 or MP4 instead, or a link.',
};

const Refusal = z.object({
  error: z.object({ code: z.number(), message: z.string().default(''), error_data: Problem.shape.error_data }),
});

/** The error that an answer of Meta means, where it was Meta that answered. `what` is the call in words. */
export function failureOf(what: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || !error.response) return error;
  const { data } = Refusal.safeParse(readable(error.response.text));
  if (!data) return error;
  const { code, message, error_data } = data.error;
  const words = [message, error_data?.details].filter(Boolean).join(': ');
  const text = `${what}: ${words.includes(String(code)) ? '' : `${code} `}${words}`;
  return errorOf(code, text, error);
}

function errorOf(code: number, text: string, told: TributaryError): TributaryError {
  const response = told.response && { response: told.response };
  const halting = HALTING[code] ?? (code >= 200 && code <= 299 ? RIGHTS : undefined);
  if (halting !== undefined) return new AuthExpiredError(text, { ...response, hint: halting });
  if (code in PACING) {
    const asked = told instanceof RateLimitedError ? told.retryAfterMs : undefined;
    return new RateLimitedError(text, asked ?? PACING[code], response);
  }
  // It was Meta that answered, and it says that it did not do it.
  if (PASSING.has(code)) return new RetryableError(text, response);
  const hint = hintOf(code);
  return new PermanentError(text, { ...response, ...(hint && { hint }) });
}

function readable(text: string): unknown {
  try {
    return parseJson(Buffer.from(text));
  } catch {
    return undefined;
  }
}

function hintOf(code: number): string | undefined {
  return REFUSING[code] ?? (code >= 132000 && code <= 132099 ? TEMPLATE : undefined);
}

/** An error that came with a message or a status, for people. */
export function reasonOf({ code, title, message, error_data }: Problem): string {
  const words = [...new Set([title ?? message, error_data?.details])].filter(Boolean).join(': ');
  const text = [code, words].filter((part) => part !== undefined && part !== '').join(' ');
  const hint = code === undefined ? undefined : hintOf(code);
  return hint === undefined ? text : `${text.replace(/\.$/, '')}. ${hint}`;
}
