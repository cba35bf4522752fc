import { mkdir } from 'node:fs/promises';
import { z } from 'zod';
import type { Channel, Context, Linking, Raw } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../../core/errors.ts';
import type { Browser } from './browser.ts';
import { startBrowser } from './browser.ts';
import { findChromium, LIBRARY, requireLibrary } from './chromium.ts';
import { createLinking } from './linking.ts';
import type { Report } from './protocol.ts';

type Stream = NonNullable<Channel['stream']>;
type Emit = Parameters<Stream>[1];
type Over = Extract<Report, { readonly kind: 'over' }>;

/** The number's session in a browser: there while the stream runs. */
export interface Session {
  readonly stream: Stream;
  readonly linking: () => Promise<Linking | undefined>;
  /** The browser, as soon as it can be asked; throws `RetryableError` where that isn't within `waitMs`. */
  readonly ready: (waitMs?: number, signal?: AbortSignal) => Promise<Browser>;
}

/** Of the page to say anything, from one sign of life to the next, until it is ready. */
const LOAD_MS = 180_000;
/** A link that is lost isn't always told: the page is asked. */
const LOOK_MS = 30_000;
const STATE_MS = 30_000;
/** Looks in a row at which it may be on its way back. */
const MOST_LOOKS = 10;
/** What waits to be stored; more than that is asked for afterwards. */
const MOST_WAITING = 1000;

/** https://docs.wwebjs.dev/global.html#WAState: those in which it gets well by itself. */
const PASSING: readonly (string | null)[] = ['OPENING', 'PAIRING', 'TIMEOUT'];
const UNLINKED: readonly (string | null)[] = ['UNPAIRED', 'UNPAIRED_IDLE'];

export function createSession(
  context: Pick<Context, 'clock' | 'log' | 'folder' | 'secrets'>,
  settings: { readonly library: string; readonly browser: string | undefined; readonly sandbox: boolean },
): Session {
  const { clock, folder } = context;
  const linking = createLinking(context);
  const waiting = new Set<(browser: Browser) => void>();
  let current: Browser | undefined;

  async function stream(_cursor: string | undefined, emit: Emit, signal: AbortSignal): Promise<void> {
    requireLibrary(settings.library);
    const program = findChromium(settings.browser);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const over = new AbortController();
    const fail = (error: Error) => {
      over.abort(error);
    };
    const until = AbortSignal.any([signal, over.signal]);
    const file = inOrder(emit, fail);
    let loading = new AbortController();
    const stillLoading = () => {
      loading.abort();
      loading = new AbortController();
      const late = () => {
        fail(new RetryableError(`WhatsApp Web did not load within ${LOAD_MS / 1000} s`));
      };
      void clock.sleep(LOAD_MS, AbortSignal.any([loading.signal, until])).then(late, () => undefined);
    };

    function hear(report: Report): void {
      if (report.kind === 'told') return file(rawOf(report.told));
      if (report.kind === 'over') return fail(errorOf(report));
      if (current) return;
      if (report.kind === 'qr') void linking.show(report.code).catch(fail);
      if (report.kind === 'ready') return open();
      stillLoading();
    }

    function open(): void {
      loading.abort();
      current = browser;
      void linking.done().catch(fail);
      for (const resolve of waiting) resolve(browser);
      waiting.clear();
      void watch(browser, until).catch(fail);
    }

    const start = { folder, program, sandbox: settings.sandbox };
    const browser = startBrowser({ clock, library: settings.library, start, onReport: hear });
    stillLoading();
    try {
      await aborted(until);
    } finally {
      current = undefined;
      loading.abort();
      over.abort();
      await browser.end();
      await linking.done();
    }
  }

  async function watch(browser: Browser, until: AbortSignal): Promise<void> {
    for (let looks = 0; !until.aborted;) {
      await clock.sleep(LOOK_MS, until);
      const state = await browser.ask({ what: 'state' }, z.string().nullable(), STATE_MS);
      if (UNLINKED.includes(state)) throw unlinked(state ?? 'nothing');
      looks = state === 'CONNECTED' ? 0 : looks + 1;
      const isLost = looks > 0 && (!PASSING.includes(state) || looks > MOST_LOOKS);
      if (isLost) throw new RetryableError(`WhatsApp Web says ${state ?? 'nothing'}: it is opened anew`);
    }
  }

  return {
    stream,
    linking: () => linking.read(),
    async ready(waitMs = 0, signal) {
      // Whoever lost it hears of that before the stream has ended.
      if (current && !current.isGone()) return current;
      const over = new AbortController();
      const never = clock.sleep(waitMs, AbortSignal.any([over.signal, ...(signal ? [signal] : [])])).then(() => {
        throw new RetryableError('WhatsApp Web is not connected yet');
      });
      never.catch(() => undefined);
      let resolve: (browser: Browser) => void = () => undefined;
      const found = new Promise<Browser>((pass) => (resolve = pass));
      waiting.add(resolve);
      try {
        return await Promise.race([found, never]);
      } finally {
        waiting.delete(resolve);
        over.abort();
      }
    },
  };
}

/** One after the other, as the message comes before its edit. The first that can't be stored ends it. */
function inOrder(emit: Emit, fail: (error: Error) => void): (raw: Raw) => void {
  let last: Promise<unknown> = Promise.resolve();
  let many = 0;
  return (raw) => {
    if (++many > MOST_WAITING) return fail(new RetryableError(`${MOST_WAITING} messages wait to be stored`));
    last = last.then(() => emit(raw)).then(() => many--);
    last.catch(fail);
  };
}

export function rawOf(told: object): Raw {
  return { body: Buffer.from(JSON.stringify(told)), headers: { 'content-type': 'application/json' } };
}

/** Rejects with the signal's reason. */
async function aborted(signal: AbortSignal): Promise<never> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  throw signal.reason;
}

function unlinked(why: string): AuthExpiredError {
  return new AuthExpiredError(`WhatsApp no longer knows this link (${why})`, {
    hint: 'Resume the channel, then scan the QR code with the phone: WhatsApp, Linked devices.',
  });
}

function errorOf({ reason, text }: Over): Error {
  switch (reason) {
    case 'logged_out':
      return unlinked(text);
    case 'code_expired':
      return new AuthExpiredError('nobody has scanned the QR code in time', {
        hint: 'Resume the channel, and scan the code within two minutes: WhatsApp, Linked devices.',
      });
    case 'missing':
      return new PermanentError(`${LIBRARY} can't be loaded: ${text}`, {
        hint: 'Install the optional packages too (npm ci --include=optional), then start the gateway again.',
      });
    case 'failed':
      return new RetryableError(text, {
        hint: 'If it stays so: does Chromium start for the gateway’s user, and may it make a sandbox (setting sandbox)?',
      });
  }
}
