import { escapeHtml } from './escape-html.ts';

/** Markup that is safe to send: made by `markup` only. */
export interface Markup {
  readonly text: string;
}

type Part = Markup | string | number | undefined | readonly Markup[];

/** Puts values into markup, each escaped unless it is markup itself. Attributes must be quoted. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { text: strings.map((text, index) => text + toText(parts[index])).join('') };
}

function toText(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  return 'text' in part ? part.text : part.map((one) => one.text).join('');
}
