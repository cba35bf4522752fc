import { randomBytes } from 'node:crypto';

/** Fields of a form, with a file behind them or without one, as `multipart/form-data`. */
export function toUploadForm(
  fields: Readonly<Record<string, string>>,
  file?: { readonly field: string; readonly name: string; readonly mediaType: string; readonly bytes: Buffer },
): { readonly body: Buffer; readonly type: string } {
  const boundary = `tributary-${randomBytes(16).toString('hex')}`;
  const part = (headers: string) => `--${boundary}\r\ncontent-disposition: form-data; ${headers}\r\n\r\n`;
  const before = Object.entries(fields).map(([name, value]) => `${part(`name="${name}"`)}${value}\r\n`);
  const type = `multipart/form-data; boundary=${boundary}`;
  if (!file) return { body: Buffer.from(`${before.join('')}--${boundary}--\r\n`), type };
  // A name with a line end or a quote would begin a header of its own; so would a type.
  const name = file.name.replace(/[\p{Cc}"\\]/gu, '_');
  const mediaType = /^[\w.+-]+\/[\w.+-]+/.exec(file.mediaType.toLowerCase())?.[0] ?? 'application/octet-stream';
  const head = part(`name="${file.field}"; filename="${name}"\r\ncontent-type: ${mediaType}`);
  const body = Buffer.concat([
    Buffer.from(`${before.join('')}${head}`),
    file.bytes,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  return { body, type };
}
