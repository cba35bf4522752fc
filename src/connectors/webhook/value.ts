import { fieldText } from '../../core/source.ts';

/** A file that a form keeps for us, by its address. */
export interface FileLink {
  readonly url: string;
  readonly name?: string;
  readonly mediaType?: string;
}

/** The single values in what a vendor writes as an answer: lists taken apart, what is missing left out. */
export function valuesOf(found: readonly unknown[]): unknown[] {
  return found.flat(8).filter((value) => value !== undefined && value !== null && value !== '');
}

/** Values as a person reads them, and the files among them: links into one of these hosts. */
export function toText(values: readonly unknown[], hosts: readonly string[]): { text: string; files: FileLink[] } {
  const files: FileLink[] = [];
  const texts = values.map((value) => {
    const link = linkOf(value);
    if (!link) return textOf(value);
    if (!isKept(link.url, hosts)) return link.url;
    files.push(link);
    return link.name ?? link.url;
  });
  return { text: texts.filter(Boolean).join(', '), files };
}

/** Parts of one answer (first and last name, lines of an address) stand side by side. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value.trim();
  if (Array.isArray(value)) return value.map(textOf).filter(Boolean).join(', ');
  if (typeof value === 'object' && value !== null) return Object.values(value).map(textOf).filter(Boolean).join(' ');
  return fieldText(value) ?? '';
}

/** An address, or an object that has one. */
function linkOf(value: unknown): FileLink | undefined {
  const object: { url?: unknown; name?: unknown; mimeType?: unknown } =
    typeof value === 'object' && value !== null ? value : { url: value };
  const { url, name, mimeType } = object;
  if (typeof url !== 'string' || url.length > 4000 || !/^https?:\/\/\S+$/i.test(url.trim())) return undefined;
  const given = typeof name === 'string' && name ? name : lastPart(url.trim());
  return {
    url: url.trim(),
    ...(given && { name: given }),
    ...(typeof mimeType === 'string' && { mediaType: mimeType }),
  };
}

/** Whether an address is of one of these hosts, or of one below it. */
export function isKept(url: string, hosts: readonly string[]): boolean {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || parsed.username || parsed.password) return false;
  return hosts.some((host) => parsed.hostname === host || parsed.hostname.endsWith(`.${host}`));
}

function lastPart(url: string): string | undefined {
  const part = URL.canParse(url) ? new URL(url).pathname.split('/').at(-1) : undefined;
  try {
    return part && decodeURIComponent(part).slice(0, 200).toWellFormed();
  } catch {
    return part;
  }
}
