import { z } from 'zod';
import type { Context, Linking } from '../../core/connector.ts';
import { drawQr } from './qr.ts';

const NAME = 'linking';
/** WhatsApp changes the code every 20 s, the first one after a minute. */
const LASTS_MS = 90_000;
const TEXT = 'Open WhatsApp on the phone, Settings, Linked devices, Link a device, and scan this code';

const Shown = z.object({ qr: z.string(), until: z.number() });

/** The code by which the phone is linked: shown in the log and the API, also by another process. */
export function createLinking({ clock, log, secrets }: Pick<Context, 'clock' | 'log' | 'secrets'>) {
  let isShown = true;
  return {
    /** Replaces the one before. */
    async show(qr: string): Promise<void> {
      isShown = true;
      log.warn({}, `${TEXT}:\n\n${drawQr(qr)}`);
      await secrets.save(NAME, JSON.stringify({ qr, until: clock.now() + LASTS_MS }));
    },
    /** It is linked, or no longer waits. */
    async done(): Promise<void> {
      if (!isShown) return;
      isShown = false;
      if (await secrets.load(NAME)) await secrets.save(NAME, '');
    },
    async read(): Promise<Linking | undefined> {
      const text = await secrets.load(NAME);
      const shown = text ? Shown.parse(JSON.parse(text)) : undefined;
      return shown && shown.until > clock.now() ? { text: TEXT, qr: shown.qr } : undefined;
    },
  };
}
