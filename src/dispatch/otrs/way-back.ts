import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import { ignored } from '../../core/envelope.ts';
import { PermanentError } from '../../core/errors.ts';
import { toOurs } from '../../core/field-mapping.ts';
import { parseJson } from '../../core/json.ts';
import { momentOf } from '../../core/local-time.ts';
import type { Api } from './api.ts';
import type { Config } from './config.ts';

const File = z.object({ id: z.string(), name: z.string(), type: z.string(), size: z.string(), inline: z.boolean() });
const Deed = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('article'),
    id: z.string(),
    /** How it came to be: `AddNote`, `SendAnswer`, `Forward` … */
    how: z.string(),
    by: z.string(),
    visible: z.boolean(),
    from: z.string(),
    text: z.string(),
    /** Seconds since 1970; only what mail and forms bring has it in all versions. */
    received: z.string(),
    time: z.string(),
    files: z.array(File),
  }),
  z.object({ kind: z.literal('state'), id: z.string(), state: z.string(), time: z.string(), by: z.string() }),
]);
export type Deed = z.output<typeof Deed>;

/** What a poll hands over: what others than we did in one ticket, oldest first. */
export const Told = z.object({ ticket: z.string(), deeds: z.array(Deed) });
export type Told = z.output<typeof Told>;

/** What agents send to somebody else may be shown to customers in the portal, and yet isn't for them. */
const ELSEWHERE: ReadonlySet<string> = new Set(['Forward', 'Bounce', 'EmailAgent']);
const LARGEST_FILE = 70 * 1024 * 1024;

export function actionsOf(config: Config, body: Buffer): ActionInput[] {
  const { ticket, deeds } = Told.parse(parseJson(body));
  return deeds.map((deed) => {
    if (deed.kind === 'article') return saidIn(config, ticket, deed);
    const status = toOurs(config.statuses, deed.state);
    if (!status) return ignored(`state ${deed.state}`, 'none of ours is called that: see `statuses`') as ActionInput;
    const id = `state:${ticket}:${deed.time}:${deed.id}`;
    return { kind: 'status', id, ticket, at: whenOf(config, deed), agent: deed.by.slice(0, 1000), status };
  });
}

function saidIn(config: Config, ticket: string, deed: Deed & { kind: 'article' }): ActionInput {
  if (deed.by !== 'agent') {
    return ignored(`article ${deed.id}`, `written there by ${deed.by || 'nobody'}, not by an agent`) as ActionInput;
  }
  return {
    kind: deed.visible && !ELSEWHERE.has(deed.how) ? 'reply' : 'note',
    id: `article:${deed.id}`,
    ticket,
    at: whenOf(config, deed),
    agent: nameIn(deed.from).slice(0, 1000),
    text: withoutQuote(deed.text),
    attachments: deed.files.map(({ id, name, type, size, inline }) => ({
      id: `${ticket}/${deed.id}/${id}`,
      name: name.slice(0, 1000) || 'file',
      mediaType: type.slice(0, 255) || 'application/octet-stream',
      ...(/^\d{1,15}$/.test(size) && { size: Number(size) }),
      ...(inline && { inline }),
    })),
  };
}

function whenOf({ timeZone }: Config, deed: Deed): number {
  const at = momentOf(deed.kind === 'article' && deed.received !== '' ? deed.received : deed.time, timeZone);
  if (at !== undefined) return at;
  throw new Error(`the time ${JSON.stringify(deed.time.slice(0, 100))} of ${deed.kind} ${deed.id} can't be read`);
}

/** `"Ivan Petrenko" <ivan@example.com>` */
function nameIn(from: string): string {
  const at = from.indexOf('<');
  const name = (at < 0 ? from : from.slice(0, at)).replaceAll('"', '').trim();
  return name || from.trim() || 'An agent';
}

/**
 * The lines with `>` that are put below an answer, or below a line with time and name, in whatever language, and that line.
 * Others are the agent's own words.
 */
export function withoutQuote(text: string): string {
  const lines = text.replaceAll('\r\n', '\n').trim().split('\n');
  const isQuote = (line: string | undefined) => line?.startsWith('>') ?? false;
  const last = lines.findLastIndex((line) => line.trim() !== '' && !isQuote(line));
  let isAnnounced = false;
  const kept = lines.filter((line, index) => {
    if (isQuote(line)) return !isAnnounced && index < last;
    if (line.trim() === '') return true;
    const next = lines.slice(index + 1, index + 3).find((each) => each.trim() !== '');
    isAnnounced = isQuote(next) && /\d:\d\d/.test(line) && line.trimEnd().endsWith(':');
    return !isAnnounced;
  });
  const rest = kept.join('\n').trim();
  return rest === '' ? text.trim() : rest;
}

/** The bytes of a file: there is no way to ask for one alone, so all of the ticket's agents come. */
export async function readFile(api: Api, id: string): Promise<Buffer> {
  const [ticket = '', article, file] = id.split('/');
  const found = (await api.files(ticket, Math.ceil(LARGEST_FILE * 1.4)))
    .find((each) => each.ArticleID === article)
    ?.Attachment.find((each) => each.FileID === file);
  if (found) return Buffer.from(found.Content, 'base64');
  throw new PermanentError('the file is gone there');
}
