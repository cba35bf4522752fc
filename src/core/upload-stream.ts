import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Http, Reply } from './connector.ts';

/**
 * Puts one file of an answer to an address as a form with that field, read once, whatever its size. Nothing else goes
 * with it: no token, as the address is another server's.
 */
export async function uploadStream(
  http: Http,
  url: string,
  field: string,
  reply: Pick<Reply, 'open'>,
  file: { readonly id: string; readonly name: string; readonly size?: number | null | undefined },
): Promise<{ readonly ok: boolean; readonly status: number; readonly bytes: Buffer }> {
  const boundary = randomUUID();
  // A name with a line end or a quote would begin a header of its own.
  const name = file.name.replace(/[\p{Cc}"\\]/gu, '_');
  const head = Buffer.from(
    `--${boundary}\r\ncontent-disposition: form-data; name="${field}"; filename="${name}"\r\n` +
      `content-type: application/octet-stream\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const bytes = (await reply.open(file.id)) as AsyncIterable<Uint8Array>;
  const body = Readable.from(
    (async function* () {
      yield head;
      yield* bytes;
      yield tail;
    })(),
  );
  const headers = new Headers({ 'content-type': `multipart/form-data; boundary=${boundary}` });
  if (file.size != null) headers.set('content-length', String(head.length + file.size + tail.length));
  // The lent fetch takes Node's streams, which the types of the built-in one don't name.
  const answer = await http.fetch(url, { method: 'POST', headers, body: body as never });
  return { ok: answer.ok, status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
}
