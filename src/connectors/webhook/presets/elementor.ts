import type { Preset } from '../preset.ts';
import { names } from './names.ts';

/** https://elementor.com/help/form-widget-pro/ : Actions After Submit, Webhook, "Advanced Data" off. */
export const elementor: Preset = {
  title: 'Elementor',
  docs: 'https://elementor.com/help/form-widget-pro/',
  auth: { type: 'token' },
  body: 'form',
  mapping: {
    sameWithin: 'day',
    kind: { value: 'form' },
    subject: '/form_name',
    answers: {
      roles: {
        ...names,
        field: ['date', 'time', 'form_id', ...names.field],
        nothing: ['form_name', 'powered by', 'credit'],
      },
    },
  },
};
