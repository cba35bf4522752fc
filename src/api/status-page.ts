import { markup, type Markup } from '../core/markup.ts';
import type { Progress } from '../core/reader.ts';
import type { TicketStatus } from '../core/ticket.ts';
import { languages, type Language } from '../core/wished-language.ts';
import { STYLE } from './status-look.ts';
import { statusTexts, type StatusTexts } from './status-texts.ts';

/** What a customer sees of his request: nothing of what was said, and nobody's address. */
export interface Request extends Progress {
  readonly number: number;
  readonly subject: string | undefined;
  readonly status: TicketStatus;
  /** The request that it was merged into. */
  readonly continuedAs: number | undefined;
  readonly assignee: string | undefined;
  readonly team: string | undefined;
  /** Milliseconds since the epoch, as all times of it. */
  readonly receivedAt: number;
}

/** How far it is, of the three steps, and how that looks. */
const PLACES: Readonly<Record<TicketStatus, readonly [step: number, look: 'working' | 'waiting' | 'done']>> = {
  new: [0, 'working'],
  open: [1, 'working'],
  pending: [1, 'waiting'],
  solved: [2, 'done'],
  closed: [2, 'done'],
};

export function requestPage(request: Request, language: Language): string {
  const texts = statusTexts[language];
  const { title, text } = texts.stages[request.status];
  const [step, look] = PLACES[request.status];
  const steps = texts.steps.map(
    (name, index) =>
      markup`<li${index <= step ? markup` class="reached"` : undefined}${
        index === step ? markup` aria-current="step"` : undefined
      }>${name}</li>`,
  );
  const heading = texts.request(request.number);
  const body = markup`<h1>${heading}</h1>
${request.subject ? markup`<p class="subject">${request.subject}</p>` : undefined}
<ol class="steps ${look}">${steps}</ol>
<div class="stage ${look}"><h2>${title}</h2>
<p>${text}</p>${
    request.continuedAs === undefined
      ? undefined
      : markup`
<p>${texts.continued(request.continuedAs)}</p>`
  }</div>
<dl>${facts(request, texts)}</dl>`;
  return toDocument(language, `${heading} · ${title}`, body, markup`<p>${texts.keep}</p>`);
}

/** The page where there is nothing to see. */
export function emptyPage(why: 'missing' | 'tooOften' | 'failed', language: Language): string {
  const { title, text } = statusTexts[language][why];
  return toDocument(language, title, markup`<h1>${title}</h1><p class="text">${text}</p>`);
}

function facts(request: Request, texts: StatusTexts): Markup[] {
  const { assignee, team, receivedAt, askedAt, answeredAt, closedAt } = request;
  const said: readonly (readonly [string, string | number | null | undefined])[] = [
    [texts.assignee, assignee],
    [texts.team, team],
    [texts.received, receivedAt],
    [texts.asked, askedAt],
    [texts.answered, answeredAt],
    [texts.closed, closedAt],
  ];
  return said.flatMap(([name, value]) => {
    if (value === null || value === undefined) return [];
    const shown = typeof value === 'number' ? time(value, texts) : value;
    return [markup`<div><dt>${name}</dt><dd>${shown}</dd></div>`];
  });
}

/** By the clocks of the installation, which are named: where the customer is nobody knows without a script. */
function time(at: number, { locale }: StatusTexts): Markup {
  const shown = new Intl.DateTimeFormat(locale, {
    year: 'numeric',
    month: 'long',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'short',
  }).format(at);
  return markup`<time datetime="${new Date(at).toISOString()}">${shown}</time>`;
}

/** The style stands exactly as it is hashed in the content security policy. */
function toDocument(language: Language, title: string, body: Markup, note?: Markup): string {
  return markup`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>${title}</title>
<style>${{ text: STYLE }}</style>
</head>
<body>
<main>
${body}
</main>
<footer>
${note}
<nav aria-label="${statusTexts[language].languages}"><ul>${languages.map((each) => languageLink(each, language))}</ul></nav>
</footer>
</body>
</html>
`.text;
}

function languageLink(each: Language, current: Language): Markup {
  const { name } = statusTexts[each];
  if (each === current) return markup`<li><span aria-current="true">${name}</span></li>`;
  return markup`<li><a href="?lang=${each}" lang="${each}" hreflang="${each}">${name}</a></li>`;
}
