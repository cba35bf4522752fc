import { Readable } from 'node:stream';
import { defineConnector } from '../../core/connector.ts';
import { BadPayloadError, PermanentError } from '../../core/errors.ts';
import { queryOf } from '../../core/payload.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import { createRate, networkOf } from '../../core/rate.ts';
import { wishedLanguage } from '../../core/wished-language.ts';
import { corsOf, jsonAnswer, pageAnswer, preflightAnswer, problemAnswer, troubleOf, wantsJson } from './answers.ts';
import { problemsOf } from './check.ts';
import { filesAllowed, FormConfig } from './config.ts';
import type { Entries } from './entries.ts';
import { LANGUAGE, toEnvelope, withoutQuery } from './envelope.ts';
import { isTracking, makeToken, originOf, readToken, spamReason, TOKEN } from './guards.ts';
import { embedScript } from './look.ts';
import { formPage, thanksPage } from './page.ts';
import { NO_LIMITS, readEntries } from './read.ts';
import { textsOf } from './texts.ts';

/** Room for the texts beside the files. */
const TEXT_BYTES = 256 * 1024;

type Values = ReadonlyMap<string, string>;

/** A contact form: a hosted page, a script that puts it into a site, and a target for forms and programs. */
export const form = defineConnector({
  type: 'form',
  title: 'Web form',
  summary: 'A contact form: hosted page, script for your own site, or a target for your own form. Files, no CAPTCHA.',
  docs: 'channels/form.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: false,
    idempotent: false,
    attachments: { in: true, out: false },
    localhost: true,
    threads: 'person',
    proven: ['prose'],
  },
  config: FormConfig,
  open(config, context) {
    const { clock, publicUrl } = context;
    const pageKey = context.key('form page');
    const rate = createRate(config.spam.perMinute, clock);
    /** What was typed, from `verify` to the page that shows it again. */
    const typed = new WeakMap<WebhookRequest, Entries>();

    const languageFor = (request: WebhookRequest) =>
      wishedLanguage(
        config.language,
        queryOf(request).get('lang') ?? undefined,
        typed.get(request)?.values.get(LANGUAGE),
        request.headers['accept-language'],
      );

    function formAnswer(request: WebhookRequest, failure?: Error & { readonly status: number }) {
      const entries = typed.get(request);
      const values: Values = entries?.values ?? new Map<string, string>();
      const language = languageFor(request);
      const token = values.get(TOKEN);
      const body = formPage({
        config,
        language,
        // The page that he corrects is the one he got: it is not suddenly too young.
        token: token && readToken(pageKey, token) ? token : makeToken(pageKey, clock.now()),
        hidden: trackingOf(request, values),
        values,
        problems: failure instanceof BadPayloadError ? failure.problems : [],
        filesLost: entries ? entries.files.length > 0 : filesAllowed(config) > 0,
        ...(failure && { trouble: troubleOf(failure.status, config, textsOf(language)) }),
      });
      return pageAnswer(config, failure?.status ?? 200, body);
    }

    return {
      webhook: {
        maxBytes: filesAllowed(config) * config.maxFileBytes + TEXT_BYTES,

        async verify(request) {
          if (originOf(request, publicUrl, config.allowedOrigins) === 'foreign') {
            throw new BadPayloadError('posted from a site that is not allowed', {
              status: 403,
              hint: 'Add the site to `allowedOrigins` of this form, if it is yours.',
            });
          }
          if (!rate.allows(networkOf(request.remoteAddress))) {
            throw new BadPayloadError('too many posts from one address', {
              status: 429,
              hint: 'If many people share the address (an office, a proxy), raise `spam.perMinute` or set `server.trustProxy`.',
            });
          }
          const entries = await readEntries(request, config);
          typed.set(request, entries);
          const problems = problemsOf(entries, config, textsOf(languageFor(request)));
          if (problems.length > 0) {
            // Names of our own only: others are the sender's words, which belong into no log.
            const names = config.fields
              .map(({ name }) => name)
              .filter((name) => problems.some((one) => one.pointer === `/${name}`));
            throw new BadPayloadError(`not filled in as asked: ${names.join(', ') || 'a field of the sender'}`, {
              status: 422,
              problems,
            });
          }
        },

        challenge(request) {
          if (request.method === 'OPTIONS') return preflightAnswer(request, config);
          if (!/\/embed\.js(\?|$)/.test(request.url)) return formAnswer(request);
          const title = config.title ?? textsOf(languageFor(request)).title;
          return {
            status: 200,
            headers: {
              'content-type': 'text/javascript; charset=utf-8',
              'cache-control': 'public, max-age=300',
              'cross-origin-resource-policy': 'cross-origin',
              'x-content-type-options': 'nosniff',
              vary: 'accept-language',
            },
            body: embedScript(title),
          };
        },

        respond(request, receipt) {
          const filed = receipt.items.find((item) => item.ticketNumber !== undefined);
          if (wantsJson(request)) {
            const known = filed && { ticket: filed.ticketNumber, statusUrl: filed.statusUrl };
            return jsonAnswer(200, { ok: true, ...known }, corsOf(request, config));
          }
          if (config.redirectTo) {
            return { status: 303, headers: { location: config.redirectTo, 'cache-control': 'no-store' } };
          }
          return pageAnswer(config, 200, thanksPage(config, languageFor(request), filed));
        },

        refuse(request, error) {
          if (!wantsJson(request)) return formAnswer(request, error);
          const problems = error instanceof BadPayloadError ? error.problems : [];
          const detail = troubleOf(error.status, config, textsOf(languageFor(request)));
          return problemAnswer(error.status, detail, problems, corsOf(request, config));
        },
      },

      async normalize(payload) {
        const entries = await readEntries(payload, config, NO_LIMITS);
        const page = readToken(pageKey, entries.values.get(TOKEN));
        const envelope = toEnvelope(entries, payload, page, config);
        const reason = spamReason(entries, payload, page, { config, publicUrl });
        return [reason === undefined ? envelope : { kind: 'rejected', reason, envelope }];
      },

      async download(attachment, payload) {
        const { files } = await readEntries(payload, config, NO_LIMITS);
        const file = files.find((one) => one.id === attachment.id);
        if (!file) throw new PermanentError(`the post has no file ${attachment.id}`);
        return Readable.from([file.bytes]);
      },
    };
  },
});

/** Where the visitor came from: as the site passed it on, or as the browser says it. */
function trackingOf(request: WebhookRequest, values: Values): [string, string][] {
  const before = [...values].filter(([name]) => isTracking(name));
  if (request.method === 'POST') return before;
  const found = new Map<string, string>();
  const { referer } = request.headers;
  if (referer) found.set('referrer', withoutQuery(referer));
  for (const [name, value] of queryOf(request)) {
    const isPage = (name === 'page' || name === 'referrer') && /^https?:\/\//i.test(value);
    if (isPage) found.set(name, withoutQuery(value));
    else if (/^utm_[a-z_]{1,30}$/.test(name) && found.size < 20) found.set(name, value.slice(0, 500));
  }
  return [...found];
}
