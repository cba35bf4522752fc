import type { Problem } from '../../core/errors.ts';
import { markup } from '../../core/markup.ts';
import type { Markup } from '../../core/markup.ts';
import type { Receipt } from '../../core/payload.ts';
import type { Language } from '../../core/wished-language.ts';
import { HONEYPOT } from './config.ts';
import type { FormConfig } from './config.ts';
import { LANGUAGE } from './envelope.ts';
import { fieldId, fieldsMarkup } from './fields.ts';
import { TOKEN } from './guards.ts';
import { SCRIPT, STYLE } from './look.ts';
import { labelOf, textsOf } from './texts.ts';
import type { Texts } from './texts.ts';

export interface FormPage {
  readonly config: FormConfig;
  readonly language: Language;
  readonly token: string;
  /** What the page carries along without showing it: where the visitor came from. */
  readonly hidden: readonly (readonly [name: string, value: string])[];
  /** What he typed before, by field. */
  readonly values: ReadonlyMap<string, string>;
  /** What is wrong as a whole; undefined when nothing is. */
  readonly trouble?: string;
  readonly problems: readonly Problem[];
  /** Browsers forget the files that were chosen: he has to be told. */
  readonly filesLost: boolean;
}

/** The page with the form, with what was typed and what is wrong with it. */
export function formPage(page: FormPage): string {
  const { config, language } = page;
  const texts = textsOf(language);
  const title = config.title ?? texts.title;
  const failed = page.trouble !== undefined;
  const hidden = [...page.hidden, [TOKEN, page.token] as const, [LANGUAGE, language] as const];
  // The page may be reached by a path that we don't know of, so it posts to itself; the bare question mark drops the query.
  const body = markup`<h1>${title}</h1>
${config.intro ? markup`<p class="intro">${config.intro}</p>` : undefined}
${failed ? summary(page, texts) : undefined}
<form method="post" action="?" enctype="multipart/form-data" accept-charset="utf-8">
${fieldsMarkup(page, texts)}
<div class="trap" aria-hidden="true"><label for="${fieldId(HONEYPOT)}">${texts.trap}</label>
<input id="${fieldId(HONEYPOT)}" name="${HONEYPOT}" type="text" tabindex="-1" autocomplete="off"></div>
${hidden.map(([name, value]) => markup`<input type="hidden" name="${name}" value="${value}">`)}
<button>${config.button ?? texts.button}</button>
</form>`;
  return toDocument(language, failed ? `${texts.errorPrefix}: ${title}` : title, body);
}

/** The page after it was sent, with what there is to follow it by. */
export function thanksPage(
  config: FormConfig,
  language: Language,
  filed: Pick<Receipt['items'][number], 'ticketNumber' | 'statusUrl'> = {},
): string {
  const texts = textsOf(language);
  const { ticketNumber: number, statusUrl } = filed;
  const body = markup`<div role="status">
<span class="sent" aria-hidden="true"><svg width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="currentColor"
stroke-width="3" stroke-linecap="round" stroke-linejoin="round"><path d="M5 13l4.5 4.5L19 7.5"></path></svg></span>
<h1>${texts.sent}</h1>
<p class="thanks">${config.thanks ?? texts.thanks}</p>
${number === undefined ? undefined : markup`<p class="number">${texts.number}: <b>${number}</b></p>`}
${statusUrl === undefined ? undefined : follow(statusUrl, texts)}
</div>
<p class="another"><a href="?lang=${language}">${texts.another}</a></p>`;
  return toDocument(language, `${texts.sent} · ${config.title ?? texts.title}`, body);
}

/** Never in the frame that the form may be shown in: the other page is shown in none. */
function follow(statusUrl: string, texts: Texts): Markup {
  return markup`<p class="follow"><a href="${statusUrl}" target="_blank" rel="noopener">${texts.follow}</a>
<span class="hint">${texts.followHint}</span></p>`;
}

/** Style and script stand exactly as they are hashed in the content security policy. */
function toDocument(language: Language, title: string, body: Markup): string {
  return markup`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${{ text: STYLE }}</style>
</head>
<body>
<main>
${body}
</main>
<script>${{ text: SCRIPT }}</script>
</body>
</html>
`.text;
}

function summary(page: FormPage, texts: Texts): Markup {
  const lines = page.problems.map(({ pointer, message }) => {
    const field = page.config.fields.find((one) => pointer === `/${one.name}`);
    if (!field) return markup`<li>${message}</li>`;
    return markup`<li><a href="#${fieldId(field.name)}">${labelOf(field, texts)}</a>: ${message}</li>`;
  });
  return markup`<div class="summary" role="alert" tabindex="-1">
<h2>${texts.problems}</h2>
${lines.length > 0 ? markup`<ul>${lines}</ul>` : markup`<p>${page.trouble}</p>`}
${page.filesLost ? markup`<p>${texts.filesAgain}</p>` : undefined}
</div>`;
}
