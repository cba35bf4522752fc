import type { Preset } from '../preset.ts';
import { names } from './names.ts';

/** https://www.typeform.com/developers/webhooks/ */
export const typeform: Preset = {
  title: 'Typeform',
  docs: 'https://www.typeform.com/developers/webhooks/secure-your-webhooks/',
  auth: {
    type: 'hmac',
    header: 'typeform-signature',
    algorithm: 'sha256',
    encoding: 'base64',
    prefix: 'sha256=',
    template: '{body}',
  },
  mapping: {
    ignoreUnless: { '/event_type': ['form_response'] },
    kind: { value: 'form' },
    id: '/form_response/token',
    occurredAt: '/form_response/submitted_at',
    subject: '/form_response/definition/title',
    answers: {
      items: '/form_response/answers',
      questions: { items: '#/form_response/definition/fields', id: '/id', name: '/title', of: '/field/id' },
      name: ['/field/ref', '/field/id'],
      value: [
        '/text',
        '/email',
        '/phone_number',
        '/choice/label',
        '/choice/other',
        '/choices/labels',
        '/choices/other',
        '/number',
        '/boolean',
        '/date',
        '/url',
        '/file_url',
        '/payment/amount',
      ],
      type: '/field/type',
      roles: {
        ...names,
        email: ['email', ...names.email],
        phone: ['phone_number', ...names.phone],
        text: ['long_text', ...names.text],
      },
    },
    more: ['/form_response/hidden'],
    fields: { score: '/form_response/calculated/score', form: '/form_response/form_id' },
  },
  fileHosts: ['typeform.com'],
};
