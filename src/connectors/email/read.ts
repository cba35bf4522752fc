import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Channel, Context } from '../../core/connector.ts';
import { BadPayloadError } from '../../core/errors.ts';
import type { Payload } from '../../core/payload.ts';
import type { Config } from './config.ts';
import { itemsOf, type Rules } from './envelope.ts';
import type { Posted } from './hooks/posted.ts';
import type { Mail, ReadRequest } from './mail.ts';
import { rules } from './rules.ts';

/** Longer than any mail that people write takes, by far; then the process is ended. */
const DEADLINE_MS = 3000;

/** The part of the channel that reads mail: what it means, and the bytes of its files. */
export function createReader(
  config: Pick<Config, 'address' | 'aliases'> & Partial<Pick<Config, 'webhook' | keyof typeof rules>>,
  context: Pick<Context, 'offload'>,
): Required<Pick<Channel, 'normalize' | 'download'>> {
  const { address, aliases, authServer } = config;
  const given: Rules = {
    ...z.object(rules).parse({}),
    ...config,
    authServer,
    addresses: [address, ...aliases].map((each) => each.toLowerCase()),
  };

  function read<T>(body: Buffer, asked: Omit<ReadRequest, 'bytes'>): Promise<T> {
    // A copy of just these bytes: what crosses the border takes all the memory along that they lie in.
    const input: ReadRequest = { bytes: new Uint8Array(body), ...asked };
    return context.offload<T>({
      worker: new URL('./read-worker.ts', import.meta.url),
      input,
      // A large mail has more time, since all of it must be carried over and decoded.
      deadlineMs: DEADLINE_MS + Math.ceil(body.length / 20_000),
    });
  }

  /** How to read what a webhook brought; undefined for bytes of a mail. */
  function postedIn({ method, headers }: Payload): Posted | undefined {
    if (method !== 'POST') return undefined;
    if (!config.webhook) throw new BadPayloadError('it came by a webhook, which the settings no longer name');
    return { provider: config.webhook.provider, contentType: headers['content-type'] ?? '' };
  }

  return {
    async normalize(payload) {
      const posted = postedIn(payload);
      // Headers of ours are nobody else's to set.
      if (posted) return itemsOf(await read<Mail>(payload.body, { posted }), { ...payload, headers: {} }, given);
      const note = payload.headers['x-imap-note'];
      if (note !== undefined) return [{ kind: 'ignored', name: note, reason: payload.body.toString().slice(0, 1000) }];
      const isCut = payload.headers['x-imap-size'] !== undefined;
      return itemsOf(await read<Mail>(payload.body, { isCut }), payload, given);
    },
    async download(attachment, payload) {
      const posted = postedIn(payload);
      const bytes = await read<Uint8Array>(payload.body, { file: attachment.id, ...(posted && { posted }) });
      return Readable.from([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)]);
    },
  };
}
