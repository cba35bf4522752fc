import busboy from 'busboy';
import { BadPayloadError, textOf } from '../../../core/errors.ts';

/** What a provider posts as a form: fields by name, as often as they stand there, and files. All of it bytes. */
export interface Form {
  readonly fields: ReadonlyMap<string, readonly Buffer[]>;
  readonly files: readonly FormFile[];
}

interface FormFile {
  readonly field: string;
  readonly name: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** More than any mail has; strangers make us read them before a signature is found. */
const MOST_PARTS = 1000;

/** Reads multipart or urlencoded forms. Throws `BadPayloadError` for what can't be read whole. */
export async function readForm(body: Buffer, contentType: string): Promise<Form> {
  const fields = new Map<string, Buffer[]>();
  const files: (Omit<FormFile, 'bytes'> & { readonly chunks: Buffer[] })[] = [];
  await new Promise<void>((resolve, reject) => {
    const refuse = (text: string) => {
      reject(new BadPayloadError(`the form can't be read: ${text}`));
    };
    const parser = createParser(contentType);
    parser.on('field', (name: string | undefined, value) => {
      const all = fields.get(name ?? '') ?? [];
      fields.set(name ?? '', [...all, bytesOf(value)]);
    });
    parser.on('file', (field: string | undefined, stream, info: { filename?: string; mimeType: string }) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', (error) => {
        refuse(textOf(error));
      });
      files.push({ field: field ?? '', name: info.filename ?? '', mediaType: info.mimeType, chunks });
    });
    for (const event of ['partsLimit', 'fieldsLimit', 'filesLimit'] as const) {
      parser.on(event, () => {
        refuse(`more than ${MOST_PARTS} parts`);
      });
    }
    parser.on('error', (error) => {
      refuse(textOf(error));
    });
    parser.on('close', resolve);
    parser.end(body);
  });
  return { fields, files: files.map(({ chunks, ...file }) => ({ ...file, bytes: Buffer.concat(chunks) })) };
}

function createParser(contentType: string): busboy.Busboy {
  // A charset for all of it says nothing about the mail's own.
  const [mediaType = ''] = contentType.split(';', 1);
  const isUrlencoded = mediaType.trim().toLowerCase() === 'application/x-www-form-urlencoded';
  try {
    return busboy({
      headers: { 'content-type': isUrlencoded ? mediaType : contentType },
      // Each byte as one letter: what they mean is said elsewhere in the form, if at all.
      defCharset: 'latin1',
      defParamCharset: 'utf8',
      limits: { fields: MOST_PARTS, fieldSize: Infinity, files: MOST_PARTS, parts: MOST_PARTS },
    });
  } catch (error) {
    throw new BadPayloadError(`the form can't be read: ${textOf(error)}`);
  }
}

/** A part that names its charset comes decoded. */
function bytesOf(value: string): Buffer {
  return Buffer.from(value, /[^\0-\xff]/.test(value) ? 'utf8' : 'latin1');
}

/** The bytes of a field or, where it was sent as a file, of that. */
export function bytesIn({ fields, files }: Form, name: string): Buffer | undefined {
  return fields.get(name)?.[0] ?? files.find(({ field }) => field === name)?.bytes;
}

export function textIn(form: Form, name: string): string | undefined {
  return bytesIn(form, name)?.toString('utf8');
}

/** JSON in a field; undefined where there is none. */
export function jsonIn(form: Form, name: string): unknown {
  try {
    return JSON.parse(textIn(form, name) ?? '');
  } catch {
    return undefined;
  }
}

/** The files, of which a field says how many there are: one whose name can't be read would be missing without a word. */
export function filesIn(form: Form, count: string): readonly FormFile[] {
  const { files } = form;
  const announced = Number(textIn(form, count) ?? 0);
  if (announced > files.length) throw new BadPayloadError(`of ${announced} files only ${files.length} can be read`);
  return files;
}
