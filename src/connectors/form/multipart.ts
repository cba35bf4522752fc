import busboy from 'busboy';
import { textOf } from '../../core/errors.ts';
import type { Payload } from '../../core/payload.ts';
import { badRequest, tooLarge } from './entries.ts';
import type { Draft, Limits } from './entries.ts';

type File = Draft['files'][number];

/** Reads multipart/form-data. Throws `BadPayloadError`: 413 too much of something, 400 what can't be read. */
export async function readMultipart(payload: Payload, limits: Limits & { readonly names: number }): Promise<Draft> {
  const values: [string, string][] = [];
  const files: Promise<File | undefined>[] = [];
  await new Promise<void>((resolve, reject) => {
    const parser = createParser(payload, limits);
    parser.on('field', (name: string | undefined, value, info) => {
      if (info.valueTruncated || info.nameTruncated) reject(tooLarge('a field is too long'));
      else values.push([name ?? '', value]);
    });
    parser.on('file', (name: string | undefined, stream, info: { filename?: string; mimeType: string }) => {
      const file = collect(stream, { field: name ?? '', name: info.filename, mediaType: info.mimeType });
      // Where a broken body ends the whole, nobody waits for the part any more.
      file.catch(reject);
      files.push(file);
    });
    for (const event of ['partsLimit', 'fieldsLimit', 'filesLimit'] as const) {
      parser.on(event, () => reject(tooLarge('too many parts')));
    }
    parser.on('error', (error) => reject(badRequest(`the multipart body can't be read: ${textOf(error)}`)));
    parser.on('close', resolve);
    parser.end(payload.body);
  });
  refuseOtherCharset(payload.body, values);
  return { values, files: (await Promise.all(files)).filter((file) => file !== undefined) };
}

function createParser(payload: Payload, limits: Limits & { readonly names: number }): busboy.Busboy {
  try {
    return busboy({
      headers: { 'content-type': payload.headers['content-type'] ?? '' },
      defParamCharset: 'utf8',
      // Each is one more than allowed: busboy reports limits that are just reached, and cuts files; what is over is refused.
      limits: {
        fields: limits.names + 1,
        fieldSize: 256 * 1024,
        files: limits.files + limits.names,
        fileSize: limits.fileBytes + 1,
        parts: limits.files + limits.names + 2,
      },
    });
  } catch (error) {
    throw badRequest(`the multipart body can't be read: ${textOf(error)}`);
  }
}

/** The bytes of a part; undefined for the empty part that a browser sends where no file was chosen. */
async function collect(
  stream: AsyncIterable<Buffer>,
  about: { field: string; name: string | undefined; mediaType: string },
): Promise<File | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk);
  } catch (error) {
    throw badRequest(`the multipart body can't be read: ${textOf(error)}`);
  }
  const bytes = Buffer.concat(chunks);
  if (!about.name && bytes.length === 0) return undefined;
  return { field: about.field, name: about.name ?? '', mediaType: about.mediaType, bytes };
}

const REPLACEMENT = Buffer.from('\ufffd', 'utf8');

/**
 * busboy replaces what isn't UTF-8 by U+FFFD and says nothing. More of them in the values than there
 * are in the body means that text was lost.
 */
function refuseOtherCharset(body: Buffer, values: readonly (readonly [string, string])[]): void {
  const found = values.reduce((sum, pair) => sum + pair.join('').split('\ufffd').length - 1, 0);
  let written = 0;
  for (let at = 0; written < found && (at = body.indexOf(REPLACEMENT, at)) >= 0; at += REPLACEMENT.length) written++;
  if (found > written) throw badRequest('the body is not UTF-8');
}
