import { AmocrmAsked } from './amocrm-asked.ts';

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** The files of an account, by their numbers. */
export interface FakeDrive {
  readonly files: Map<string, { readonly name: string; readonly bytes: Buffer }>;
  readonly partSize: number;
  /** Where they are fetched from. */
  readonly drive: string | undefined;
  readonly root: string;
  readonly violations: string[];
  keep(name: string, bytes: Buffer): string;
}

/** https://www.amocrm.ru/developers/content/files/files-api */
export function serveDrive(fake: () => FakeDrive) {
  let uploading: { name: string; size: number; bytes: Buffer } | undefined;

  function begin(body: unknown): Answer {
    const { file_name: name, file_size: size } = AmocrmAsked['POST /v1.0/sessions'].parse(body);
    uploading = { name, size, bytes: Buffer.alloc(0) };
    const upload_url = `${fake().root}/v1.0/sessions/upload/first.0`;
    const limits = { max_file_size: 314_572_800, max_part_size: fake().partSize };
    return { status: 200, body: { ...limits, session_id: 1, upload_url } };
  }

  function goOn(part: Buffer): Answer {
    if (!uploading) return { status: 404, body: {} };
    uploading.bytes = Buffer.concat([uploading.bytes, part]);
    if (part.length > fake().partSize) fake().violations.push('a part that is too large');
    const { name, size, bytes } = uploading;
    if (bytes.length === size) return { status: 200, body: { uuid: fake().keep(name, bytes), name, size } };
    const next_url = `${fake().root}/v1.0/sessions/upload/next.${bytes.length}`;
    return { status: 200, body: { session_id: 1, next_url } };
  }

  return (method: string, path: string, body: unknown): Answer => {
    if (path === '/v1.0/sessions') return begin(body);
    if (method === 'POST') return goOn(body as Buffer);
    const uuid = path.split('/')[path.startsWith('/download/') ? 2 : 3]!;
    const file = fake().files.get(uuid);
    if (!file) return { status: 404, body: {} };
    if (path.startsWith('/download/')) return { status: 200, body: file.bytes };
    const href = `${fake().drive ?? fake().root}/download/${uuid}/file`;
    return { status: 200, body: { uuid, _links: { download: { href } } } };
  };
}
