import type { Preset } from '../preset.ts';
import { names } from './names.ts';

/** https://tally.so/help/webhooks */
export const tally: Preset = {
  title: 'Tally',
  docs: 'https://tally.so/help/webhooks',
  auth: {
    type: 'hmac',
    header: 'tally-signature',
    algorithm: 'sha256',
    encoding: 'base64',
    prefix: '',
    template: '{body}',
  },
  mapping: {
    ignoreUnless: { '/eventType': ['FORM_RESPONSE'] },
    kind: { value: 'form' },
    id: ['/data/submissionId', '/data/responseId'],
    occurredAt: ['/data/createdAt', '/createdAt'],
    subject: '/data/formName',
    answers: {
      items: '/data/fields',
      name: ['/label', '/key'],
      value: ['/value'],
      options: { items: '/options', id: '/id', name: '/text' },
      type: '/type',
      roles: {
        ...names,
        email: ['INPUT_EMAIL', ...names.email],
        phone: ['INPUT_PHONE_NUMBER', ...names.phone],
        text: ['TEXTAREA', ...names.text],
        field: ['HIDDEN_FIELDS', 'CALCULATED_FIELDS', ...names.field],
      },
    },
    fields: { form: '/data/formId', respondent: '/data/respondentId' },
  },
  fileHosts: ['tally.so'],
};
