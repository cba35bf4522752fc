import { createReadStream } from 'node:fs';
import { open as openFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { findChromium, LIBRARY, requireLibrary } from './chromium.ts';
import { messagesSince } from './history.ts';
import { toItems } from './items.ts';
import { fileNameOf, FILES, Media } from './protocol.ts';
import { sendReply } from './reply.ts';
import { createSession } from './session.ts';
import type { Session } from './session.ts';

const Config = z.strictObject({
  browser: z
    .string()
    .min(1)
    .max(1000)
    .regex(/^[/A-Z]/i, { error: 'is not the path of a program' })
    .optional()
    .meta({ description: 'Path of Chromium or Chrome, where it is in none of the usual places' }),
  sandbox: z
    .boolean()
    .default(true)
    .meta({ description: 'Whether pages run in Chromium’s sandbox; false only where the machine can’t make one' }),
});

/** A file of several minutes, over a slow line. */
const FILE_MS = 130_000;

/** `library`: what the browser's process loads; tests have a stand-in for it. */
export function createWhatsAppWeb(library: string) {
  return defineConnector({
    type: 'whatsapp_web',
    title: 'WhatsApp Web (unofficial)',
    summary: 'Takes what people write to a WhatsApp number, by its WhatsApp Web in a browser of ours, and answers.',
    docs: 'channels/whatsapp-web.md',
    stability: 'beta',
    capabilities: {
      receive: ['stream'],
      reply: true,
      idempotent: false,
      attachments: { in: true, out: true },
      localhost: true,
      threads: 'person',
      proven: ['prose', 'Chromium'],
    },
    config: Config,
    open({ browser, sandbox }, context) {
      const { clock, folder } = context;
      const session = createSession(context, { library, browser, sandbox });
      return {
        normalize: toItems,
        stream: session.stream,
        linking: session.linking,
        reconcile: (since, signal) => messagesSince(session, since, signal),
        reply: (reply) => sendReply({ session, clock, folder }, reply),
        download: ({ id }) => download(session, folder, id),
        test: async () => {
          requireLibrary(library);
          findChromium(browser);
          const state = await (await session.ready()).ask({ what: 'state' }, z.string().nullable());
          return `WhatsApp Web says ${state ?? 'nothing'}`;
        },
      };
    },
  });
}

export const whatsappWeb = createWhatsAppWeb(LIBRARY);

/** It lies there already, or is fetched; once read it is gone, as it is kept elsewhere. */
async function download(session: Session, folder: string, message: string): Promise<Readable> {
  const path = join(folder, FILES, fileNameOf(message));
  if (!(await isThere(path))) {
    const media = await (await session.ready()).ask({ what: 'media', message }, Media, FILE_MS);
    if (!media) throw new PermanentError('WhatsApp no longer has this file, or it has more than 64 MB');
  }
  const bytes = createReadStream(path);
  bytes.once('end', () => void rm(path, { force: true }));
  return bytes;
}

async function isThere(path: string): Promise<boolean> {
  const handle = await openFile(path).catch(() => undefined);
  await handle?.close();
  return handle !== undefined;
}
