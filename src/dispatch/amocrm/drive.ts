import type { Readable } from 'node:stream';
import { z } from 'zod';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import type { Api } from './api.ts';
import type { Config } from './config.ts';

/** Files lie at a service of their own: https://www.amocrm.ru/developers/content/files/files-api */

const PART_MS = 60_000;
/** Where it doesn't say how much it takes at once. */
const PART_BYTES = 128 * 1024;
const LARGEST_FILE = 100 * 1024 * 1024;

const address = z.url({ protocol: /^https?$/ });
const Session = z.object({ upload_url: address, max_part_size: z.number().int().positive().default(PART_BYTES) });
/** The file after its last part, else where the next one goes. */
const Part = z.union([z.object({ uuid: z.string().min(1) }), z.object({ next_url: address })]);
const File = z.object({ _links: z.object({ download: z.object({ href: address }) }) });

export interface Drive {
  /** The number of the file there. */
  upload(name: string, mediaType: string, bytes: Buffer): Promise<string>;
  download(uuid: string): Promise<Readable>;
}

export function createDrive({ apiRoot }: Config, api: Api): Drive {
  /** Our token goes to amoCRM only, whatever an answer says: the host of the account, or one beside it. */
  function own(url: string): string {
    if (isBeside(new URL(apiRoot), new URL(url))) return url;
    throw new PermanentError(`amoCRM names ${new URL(url).host} as the place of a file, which is none of its own`);
  }

  async function root(): Promise<string> {
    const { drive_url: url } = await api.account();
    if (url) return own(url).replace(/\/$/, '');
    throw new PermanentError('amoCRM says of no place for files', {
      hint: 'Give the integration access to files.',
    });
  }

  return {
    async upload(name, mediaType, bytes) {
      const body = { file_name: name, file_size: bytes.length, content_type: mediaType };
      const session = await api.read(Session, `${await root()}/v1.0/sessions`, { method: 'POST', body });
      let url = session?.upload_url;
      const size = session?.max_part_size ?? PART_BYTES;
      for (let from = 0; url !== undefined && from < bytes.length; from += size) {
        const part = bytes.subarray(from, from + size);
        const hidden = url.slice(url.lastIndexOf('/') + 1);
        const sent = { method: 'POST', body: part, timeoutMs: PART_MS, hidden } as const;
        const answer: z.output<typeof Part> | undefined = await api.read(Part, own(url), sent);
        if (answer && 'uuid' in answer) return answer.uuid;
        url = answer?.next_url;
      }
      throw new RetryableError('amoCRM took a file and did not say which it is');
    },
    async download(uuid) {
      const file = await api.read(File, `${await root()}/v1.0/files/${encodeURIComponent(uuid)}`);
      if (!file) throw new PermanentError('the file is gone in amoCRM');
      const url = own(file._links.download.href);
      return (await api.stream(url, LARGEST_FILE)).body;
    },
  };
}

/** `drive-b.amocrm.ru` beside `acme.amocrm.ru`; nothing is beside a host that has no domain above it. */
function isBeside(root: URL, { protocol, host, hostname }: URL): boolean {
  if (protocol !== root.protocol) return false;
  if (host === root.host) return true;
  const domainOf = (name: string) => name.slice(name.indexOf('.') + 1);
  const domain = domainOf(root.hostname);
  return /[a-z]/.test(domain) && domain.includes('.') && domainOf(hostname) === domain;
}
