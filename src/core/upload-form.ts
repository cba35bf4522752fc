import { randomBytes } from 'node:crypto';

/** A file of a form, under the name of its field. */
export interface UploadFile {
  readonly field: string;
  readonly name: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** Fields of a form, with files behind them or without, as `multipart/form-data`. A list is a field that is there several times. */
export function toUploadForm(
  fields: Readonly<Record<string, string | readonly string[]>>,
  ...files: readonly (UploadFile | undefined)[]
): { readonly body: Buffer; readonly type: string } {
  const boundary = `tributary-${randomBytes(16).toString('hex')}`;
  const part = (headers: string) => `--${boundary}\r\ncontent-disposition: form-data; ${headers}\r\n\r\n`;
  const texts = Object.entries(fields).flatMap(([name, value]) =>
    [value].flat().map((text) => `${part(`name="${name}"`)}${text}\r\n`),
  );
  const parts = files.flatMap((file) =>
    file ? [Buffer.from(part(headersOf(file))), file.bytes, Buffer.from('\r\n')] : [],
  );
  const body = Buffer.concat([Buffer.from(texts.join('')), ...parts, Buffer.from(`--${boundary}--\r\n`)]);
  return { body, type: `multipart/form-data; boundary=${boundary}` };
}

/** A name with a line end or a quote would begin a header of its own; so would a type. */
function headersOf({ field, name: given, mediaType: type }: UploadFile): string {
  const name = given.replace(/[\p{Cc}"\\]/gu, '_');
  const mediaType = /^[\w.+-]+\/[\w.+-]+/.exec(type.toLowerCase())?.[0] ?? 'application/octet-stream';
  return `name="${field}"; filename="${name}"\r\ncontent-type: ${mediaType}`;
}
