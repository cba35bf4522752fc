import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BadPayloadError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { hmac, matchesSignature } from '../../core/signature.ts';
import type { Identity } from './session.ts';

/** How old a login may be: what was signed may have been seen by others since. */
const LONGEST_MS = 3_600_000;
/** Clocks of two servers are never quite the same. */
const LEEWAY_MS = 60_000;

const User = z.object({
  id: z
    .union([z.number().int(), z.string()])
    .transform(String)
    .pipe(z.string().regex(/^\d{1,20}$/)),
  first_name: z.string().default(''),
  last_name: z.string().default(''),
});

/** Whether it may be what Telegram says of a visitor, and not a JWT. */
export function isTelegramLogin(text: string): boolean {
  return text.includes('hash=');
}

/**
 * Reads what Telegram signed with a bot's token, as `key=value&…`: the `initData` of a Mini App, or the fields of the login
 * widget. Throws `BadPayloadError`.
 * https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
 * https://core.telegram.org/widgets/login#checking-authorization
 */
export function readTelegramLogin(botToken: string, text: string, now: number): Identity {
  const fields = new URLSearchParams(text);
  const hash = fields.get('hash') ?? '';
  const lines = [...fields].filter(([name]) => name !== 'hash').map(([name, value]) => `${name}=${value}`);
  const user = fields.get('user');
  const key = user === null ? createHash('sha256').update(botToken).digest() : hmac('sha256', 'WebAppData', botToken);
  if (!matchesSignature(hmac('sha256', key, lines.sort().join('\n')), hash, 'hex')) {
    throw new BadPayloadError('the login is not signed by Telegram for this bot', {
      hint: 'telegramBotToken is the token of the bot whose Mini App or login widget the visitor used.',
    });
  }
  const age = now - Number(fields.get('auth_date') ?? NaN) * 1000;
  if (!(age < LONGEST_MS && age > -LEEWAY_MS)) {
    throw new BadPayloadError('the login at Telegram is older than an hour', {
      hint: 'Pass on what Telegram says when the page is opened.',
    });
  }
  const read = User.safeParse(user === null ? Object.fromEntries(fields) : parseJson(Buffer.from(user)));
  if (!read.success) throw new BadPayloadError('the login at Telegram names nobody');
  const { id, first_name: first, last_name: last } = read.data;
  const name = Array.from(`${first} ${last}`.trim()).slice(0, 50).join('');
  return { telegram: id, ...(name && { name }) };
}
