import type { Webhook } from '../../../core/connector.ts';
import { BadPayloadError } from '../../../core/errors.ts';
import { matchesBasic } from '../../../core/signature.ts';
import type { Postmark } from './config.ts';

/** For who signs nothing: the user and password of the address that he was given. */
export function createBasic({ user, password }: Pick<Postmark, 'user' | 'password'>): Pick<Webhook, 'verify'> {
  return {
    verify({ headers }) {
      if (matchesBasic(headers['authorization'], user, password.reveal())) return;
      throw new BadPayloadError('user or password is wrong or missing', {
        hint: 'Give the provider the address as https://user:password@host/webhooks/…',
      });
    },
  };
}
