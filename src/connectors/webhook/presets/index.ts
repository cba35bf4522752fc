import type { Preset } from '../preset.ts';
import { contactForm7 } from './contact-form-7.ts';
import { elementor } from './elementor.ts';
import { googleForms } from './google-forms.ts';
import { jotform } from './jotform.ts';
import { tally } from './tally.ts';
import { tilda } from './tilda.ts';
import { typeform } from './typeform.ts';

export const presetNames = [
  'typeform',
  'jotform',
  'google_forms',
  'tilda',
  'tally',
  'elementor',
  'contact_form_7',
] as const;
export type PresetName = (typeof presetNames)[number];

/** Every form builder, one line each. */
export const presets: Readonly<Record<PresetName, Preset>> = {
  typeform,
  jotform,
  google_forms: googleForms,
  tilda,
  tally,
  elementor,
  contact_form_7: contactForm7,
};
