import type { Preset } from '../preset.ts';
import { names } from './names.ts';

/** https://wordpress.org/plugins/cf7-to-zapier/ ("CF7 to Webhook"): Contact Form 7 itself sends mails only. */
export const contactForm7: Preset = {
  title: 'Contact Form 7',
  docs: 'https://wordpress.org/plugins/cf7-to-zapier/',
  auth: { type: 'token' },
  body: 'form',
  mapping: {
    sameWithin: 'day',
    kind: { value: 'form' },
    answers: { roles: { ...names, nothing: ['acceptance*', 'g-recaptcha-response'] } },
  },
};
