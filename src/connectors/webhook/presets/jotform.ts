import type { Preset } from '../preset.ts';
import { names } from './names.ts';

/** https://www.jotform.com/help/245-how-to-setup-a-webhook-with-jotform/ */
export const jotform: Preset = {
  title: 'Jotform',
  docs: 'https://www.jotform.com/help/245-how-to-setup-a-webhook-with-jotform/',
  auth: { type: 'token' },
  body: 'form',
  mapping: {
    json: ['rawRequest'],
    kind: { value: 'form' },
    id: '/submissionID',
    subject: '/formTitle',
    answers: {
      items: '/rawRequest',
      prefix: 'q#_',
      roles: {
        ...names,
        // What its script tells about itself; `website` is its trap for robots.
        nothing: [
          'slug',
          'jsExecutionTracker',
          'submitSource',
          'submitDate',
          'buildDate',
          'uploadServerUrl',
          'eventObserver',
          'event_id',
          'timeToSubmit',
          'validatedNewRequiredFieldIDs',
          'path',
          'preview',
          'temp_upload',
          'file_server',
          'website',
          'simple_spc',
          'simple_fpc',
        ],
      },
    },
    fields: { form: '/formID', ip: '/ip' },
  },
  fileHosts: ['jotform.com', 'jotform.me', 'jotform.co'],
};
