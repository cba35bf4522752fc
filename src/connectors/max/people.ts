import type { EnvelopeInput } from '../../core/envelope.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature } from '../../core/signature.ts';
import { cardOf } from './card.ts';
import type { Message, User } from './update.ts';

type Party = EnvelopeInput['sender'];

export function nameOf({ first_name, last_name, name, user_id }: User): string {
  return ([first_name, last_name].filter(Boolean).join(' ') || name || user_id).slice(0, 1000);
}

/** Nobody says whether other bots know a person by the same id: it counts for this one. */
export function partyOf(user: User, channel: string, locale?: string): Party {
  return {
    name: nameOf(user),
    identifiers: [{ kind: `max:${channel}`, value: user.user_id, trust: 'verified' }],
    ...(locale && { locale }),
  };
}

/**
 * The number on a card that MAX says is the sender's own: it signs the card with the bot's token when somebody presses the
 * button that shares his number (https://dev.max.ru/docs-api, the kinds of buttons). The card names whose it is, so that
 * one that somebody else passes on proves nothing about him; what was forwarded isn't even looked at.
 */
export function ownPhoneOf({ sender, body }: Message, token: Secret): string | undefined {
  const cards = (body?.attachments ?? []).flatMap(({ payload }) => payload ?? []);
  const own = cards.find(
    ({ vcf_info = '', hash = '', max_info }) =>
      sender?.user_id === max_info?.user_id &&
      matchesSignature(hmac('sha256', token.reveal(), vcf_info), hash.toLowerCase(), 'hex'),
  );
  const digits = own && cardOf(own.vcf_info ?? '').phone?.replace(/\D/g, '');
  return digits && /^\d{7,15}$/.test(digits) ? `+${digits}` : undefined;
}
