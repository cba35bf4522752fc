import busboy from 'busboy';

/** What a posted form with files says. */
export interface FormParts {
  /** Each field with all its values, in order. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
  readonly files: readonly { field: string; name: string; mediaType: string; bytes: Buffer }[];
}

/** Reads `multipart/form-data` whole. */
export async function readForm(contentType: string, body: Buffer): Promise<FormParts> {
  const fields: Record<string, string[]> = {};
  const files: FormParts['files'][number][] = [];
  const form = busboy({ headers: { 'content-type': contentType }, defParamCharset: 'utf8' });
  form.on('field', (name, value) => void (fields[name] ??= []).push(value));
  form.on('file', (field, stream, { filename, mimeType }) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
    stream.on('end', () =>
      files.push({ field, name: filename ?? '', mediaType: mimeType, bytes: Buffer.concat(chunks) }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    form.on('close', resolve);
    form.on('error', reject);
    form.end(body);
  });
  return { fields, files };
}
