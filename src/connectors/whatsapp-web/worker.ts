import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { liveWithGateway } from '../../core/child-process.ts';
import { textOf } from '../../core/errors.ts';
import { AnswerError, answersOf } from './answers.ts';
import type { Client, Library } from './library.ts';
import { openMedia } from './media.ts';
import type { Asked, Report, Start } from './protocol.ts';
import { createTell, within } from './told.ts';

/**
 * The process in which the browser lives: it may crash, hang or be ended without anything else being harmed. Its first
 * argument names the library.
 */

const LONGEST_TEXT = 1000;
const LEAVE_MS = 3000;
/** Codes that are shown, one after the other, each for 20 s or more, before the page is given up. */
const CODES = 6;
/** The link is no more, or the number is blocked. */
const ENDED: readonly string[] = ['LOGOUT', 'UNPAIRED', 'UNPAIRED_IDLE', 'TOS_BLOCK', 'SMB_TOS_BLOCK'];
const EXPIRED = 'Max qrcode retries reached';

/** Other events of the library that are told with what they are about. */
const TOLD = [
  'message_edit',
  'message_revoke_everyone',
  'message_revoke_me',
  'message_reaction',
  'message_ciphertext_failed',
  'vote_update',
  'call',
  'group_join',
  'group_leave',
  'group_update',
  'group_admin_changed',
  'group_membership_request',
] as const;

/** What this process is for; undefined until it is told. */
const here: { client?: Client; isUnlinked?: boolean } = {};

liveWithGateway(() => void leave());
process.on('uncaughtException', (error) => end('failed', textOf(error)));
process.on('unhandledRejection', (error) => end('failed', textOf(error)));
process.once('message', (order: Start) => void start(order));

function report(message: Report): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

function end(reason: Extract<Report, { kind: 'over' }>['reason'], text: string): void {
  // The rest is how the library cleans up.
  if (here.isUnlinked && reason === 'failed') return;
  report({ kind: 'over', reason, text: text.slice(0, LONGEST_TEXT) });
}

/** Lets Chromium write down what it has, if it does so soon. */
async function leave(): Promise<void> {
  await within(here.client?.destroy() ?? Promise.resolve(), LEAVE_MS).catch(() => undefined);
  process.exit();
}

function load(): Library | undefined {
  const require = createRequire(import.meta.url);
  try {
    return require(process.argv[2] ?? '') as Library;
  } catch (error) {
    end('missing', textOf(error));
    return undefined;
  }
}

async function start(order: Start): Promise<void> {
  const library = load();
  if (!library) return;
  const { folder } = order;
  const auth = new library.LocalAuth({ dataPath: folder });
  const own = new library.Client({
    authStrategy: auth,
    // Nothing is written beside the profile, and the page is the one that WhatsApp serves.
    webVersionCache: { type: 'none' },
    qrMaxRetries: CODES,
    deviceName: 'Tributary',
    puppeteer: launchOptions(order),
  });
  here.client = own;
  auth.afterBrowserInitialized = async () => {
    const pid = own.pupBrowser?.process()?.pid;
    if (pid !== undefined) report({ kind: 'browser', pid });
    own.pupBrowser?.on('disconnected', () => end('failed', 'Chromium has ended'));
    own.pupPage?.on('error', () => end('failed', 'the page has crashed'));
  };
  await unlock(join(folder, 'session'));
  await listen(own, library, folder);
  own.on('disconnected', (reason: unknown) => void ended(String(reason), folder));
  await own.initialize().catch((error: unknown) => end('failed', `WhatsApp Web can't be opened: ${textOf(error)}`));
}

/** https://pptr.dev/api/puppeteer.launchoptions */
function launchOptions({ program, sandbox }: Start): object {
  return {
    executablePath: program,
    headless: true,
    // Chromium ends when its pipe does, however this process ended.
    pipe: true,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    args: [
      ...(sandbox ? [] : ['--no-sandbox']),
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-extensions',
      '--disable-component-update',
      '--disable-background-networking',
      '--disable-sync',
      '--no-first-run',
      '--mute-audio',
      // One page, and no more memory or disk than that takes.
      '--renderer-process-limit=1',
      '--js-flags=--max-old-space-size=1024',
      '--disk-cache-size=104857600',
    ],
  };
}

/** Only one process at a time has the channel: a lock is one of a Chromium that was killed, or of another container. */
async function unlock(profile: string): Promise<void> {
  for (const name of ['SingletonLock', 'SingletonCookie', 'SingletonSocket']) {
    await rm(join(profile, name), { force: true });
  }
}

async function listen(own: Client, library: Library, folder: string): Promise<void> {
  const tell = createTell(own);
  const media = await openMedia(folder, own);
  const answers = answersOf({ client: own, library, folder, media, tell });
  /** In the order in which they came. */
  let last: Promise<unknown> = Promise.resolve();
  const pass = (event: string, data: object) => {
    last = last.then(async () => report({ kind: 'told', told: { event, ...(await tell(event, data)) } }));
  };

  own.on('qr', (code: string) => report({ kind: 'qr', code }));
  for (const sign of ['loading_screen', 'authenticated', 'change_state'])
    own.on(sign, () => report({ kind: 'loading' }));
  own.on('auth_failure', (text: unknown) => end('logged_out', String(text)));
  own.on('ready', () => report({ kind: 'ready' }));
  own.on('message_create', (message: Parameters<typeof answers.isOurs>[0]) => {
    const take = () => {
      if (message.hasMedia && !message.isStatus) media.begin(message);
      pass('message_create', message);
    };
    if (!message.id.fromMe) return take();
    void answers.isOurs(message).then((isOurs) => {
      if (!isOurs) take();
    });
  });
  own.on('message_ack', (message: object, ack: number) => pass('message_ack', { message, ack }));
  own.on('contact_changed', (_message: object, from: unknown, to: unknown) => pass('contact_changed', { from, to }));
  for (const event of TOLD) own.on(event, (data: object) => pass(event, data));

  process.on('message', (asked: Asked) => {
    const { id } = asked;
    answers.to(asked.ask).then(
      (result) => report({ kind: 'answer', id, result }),
      (error: unknown) => {
        const how = error instanceof AnswerError ? error.how : 'again';
        report({ kind: 'refused', id, text: textOf(error).slice(0, LONGEST_TEXT), how });
      },
    );
  });
}

/** `disconnected` comes late or not at all where the page itself is gone: the gateway asks for the state as well. */
async function ended(reason: string, folder: string): Promise<void> {
  if (reason === EXPIRED) return end('code_expired', reason);
  if (!ENDED.includes(reason)) return end('failed', `WhatsApp Web says ${reason}`);
  here.isUnlinked = true;
  await within(here.client?.destroy() ?? Promise.resolve(), LEAVE_MS).catch(() => undefined);
  // What is left of the session is of no use any more.
  await rm(join(folder, 'session'), { recursive: true, force: true }).catch(() => undefined);
  end('logged_out', reason);
}
