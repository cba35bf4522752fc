import type { Preset } from '../preset.ts';
import { names } from './names.ts';

/** https://help.tilda.cc/form/webhook */
export const tilda: Preset = {
  title: 'Tilda',
  docs: 'https://help.tilda.cc/form/webhook',
  auth: { type: 'token' },
  body: 'form',
  mapping: {
    // It asks whether anybody is there when the address is entered.
    ignoreIf: { '/test': ['test'] },
    sameWithin: 'day',
    kind: { value: 'form' },
    id: '/tranid',
    json: ['payment'],
    subject: '/formname',
    answers: {
      roles: {
        ...names,
        field: ['formid', 'tildaspec-*', ...names.field],
        nothing: ['tranid', 'formname', 'COOKIES'],
      },
    },
  },
  fileHosts: ['tupwidget.com', 'tildacdn.com'],
};
