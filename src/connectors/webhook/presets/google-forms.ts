import type { Preset } from '../preset.ts';
import { names } from './names.ts';

/** What the script in docs/channels/forms.md sends: Google Forms calls nobody by itself. */
export const googleForms: Preset = {
  title: 'Google Forms',
  docs: 'https://developers.google.com/apps-script/reference/forms/form-response',
  auth: {
    type: 'hmac',
    header: 'x-signature',
    algorithm: 'sha256',
    encoding: 'base64',
    prefix: '',
    template: '{timestamp}.{body}',
    timestampHeader: 'x-timestamp',
  },
  mapping: {
    kind: { value: 'form' },
    id: '/responseId',
    // Who edits his answers sends the same response again, later.
    revision: '/submittedAt',
    occurredAt: '/submittedAt',
    from: { email: '/email' },
    subject: '/form',
    answers: {
      items: '/answers',
      name: '/question',
      value: ['/answer'],
      type: '/type',
      roles: { ...names, text: ['PARAGRAPH_TEXT', ...names.text] },
    },
    fields: { form: '/formId' },
  },
};
