import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Webhook } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { toOurs } from '../../core/field-mapping.ts';
import { htmlToText } from '../../core/html-text.ts';
import { jsonOf, parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature } from '../../core/signature.ts';
import type { Config } from './config.ts';
import { isOurs } from './tickets.ts';

const File = z.object({ id: z.string(), name: z.string(), type: z.string(), size: z.string() });
export type File = z.output<typeof File>;
const Said = z.object({
  kind: z.literal('article'),
  id: z.string(),
  /** The ticket that it stands in: another one where that was merged. */
  place: z.string(),
  type: z.string(),
  sender: z.string(),
  inside: z.boolean(),
  from: z.string(),
  to: z.string(),
  /** The address of the ticket's customer. */
  customer: z.string(),
  body: z.string(),
  isHtml: z.boolean(),
  time: z.string(),
  files: z.array(File),
});
type Said = z.output<typeof Said>;
const Deed = z.discriminatedUnion('kind', [
  Said,
  z.object({ kind: z.literal('state'), id: z.string(), state: z.string(), time: z.string(), by: z.string() }),
]);
export type Deed = z.output<typeof Deed>;

/** What a poll hands over: what others than we did in one ticket, oldest first. */
const Told = z.object({ ticket: z.string(), deeds: z.array(Deed) });
export type Told = z.output<typeof Told>;

const MOST_PUSHED = 16 * 1024 * 1024;
const FILE_PATH = '/api/v1/ticket_attachment/';

/** https://admin-docs.zammad.org/en/latest/manage/webhook/payload.html */
export function createWebhook(secret: Secret): Webhook {
  return {
    // All of a ticket comes along, with the people in it.
    maxBytes: MOST_PUSHED,
    verify({ headers, body }) {
      const signature = headers['x-hub-signature'] ?? '';
      const expected = hmac('sha1', secret.reveal(), body);
      if (signature.startsWith('sha1=') && matchesSignature(expected, signature.slice(5), 'hex')) return;
      throw new BadPayloadError('x-hub-signature does not match the body', {
        hint: 'Compare `webhookSecret` with the HMAC SHA1 signature token of the webhook in Zammad.',
      });
    },
  };
}

/** A trigger doesn't say who did what, and comes late or twice: it only says that there is something to be fetched. */
export function toWake({ idField }: Config, { body }: Payload): ActionInput {
  const notice = z.object({ ticket: z.looseObject({}) }).safeParse(jsonOf(body));
  const id = notice.data?.ticket[idField];
  // Whoever writes the payload himself may leave it out.
  if (id === undefined || isOurs(id)) return { kind: 'wake' };
  return ignored('a ticket', 'not a ticket of ours') as ActionInput;
}

export function actionsOf(config: Config, body: Buffer): ActionInput[] {
  const { ticket, deeds } = Told.parse(parseJson(body));
  return deeds.map((deed) => {
    const common = { ticket, at: Date.parse(deed.time) };
    if (deed.kind === 'article') return saidIn(common, deed);
    const status = toOurs(config.statuses, deed.state);
    if (!status) return ignored(`state ${deed.state}`, 'none of ours is called that: see `statuses`') as ActionInput;
    return { kind: 'status', id: `history:${deed.id}`, ...common, agent: deed.by.slice(0, 1000), status };
  });
}

function saidIn(common: { readonly ticket: string; readonly at: number }, said: Said): ActionInput {
  if (said.sender !== 'Agent') {
    return ignored(`article ${said.id}`, `written there by ${said.sender || 'nobody'}, not by an agent`) as ActionInput;
  }
  const own = said.isHtml ? withoutQuote(said.body) : said.body;
  const mayShow = said.isHtml && picturesIn(own, `${said.place}/${said.id}`).length === 0;
  return {
    kind: isAnswer(said) ? 'reply' : 'note',
    id: `article:${said.id}`,
    ...common,
    agent: nameIn(said.from).slice(0, 1000),
    text: said.isHtml ? htmlToText(own) : own.trim(),
    // Pictures in it would be looked for in Zammad: they come as files.
    ...(mayShow && { html: own }),
    attachments: said.files.map(({ id, name, type, size }) => ({
      id: `${said.place}/${said.id}/${id}`,
      name: name.slice(0, 1000) || 'file',
      mediaType: type.slice(0, 255) || 'application/octet-stream',
      ...(/^\d{1,15}$/.test(size) && { size: Number(size) }),
    })),
  };
}

/** What goes to somebody else, or was said on the phone, customers may see there, and yet it isn't an answer. */
function isAnswer({ inside, type, to, customer }: Said): boolean {
  if (inside) return false;
  return type === 'note' || (type === 'email' && customer !== '' && addressesIn(to).includes(customer));
}

/** `Emma Taylor <emma@example.com>, ivan@example.com` */
function addressesIn(to: string): string[] {
  return to.split(',').map((one) => {
    const [address = ''] = one.slice(one.lastIndexOf('<') + 1).split('>', 1);
    return address.trim().toLowerCase();
  });
}

/** Numbers of the files that stand as pictures in a text of this article. */
export function picturesIn(html: string, article: string): string[] {
  const [, ...behind] = html.split(`${FILE_PATH}${article}/`);
  const numbers = behind.map((rest) => /^\d{1,15}/.exec(rest)?.[0] ?? '');
  return [...new Set(numbers)].filter((number) => number !== '');
}

/** What Zammad's editor puts below an answer: the marked quote. */
export function withoutQuote(html: string): string {
  const at = html.indexOf('<blockquote type="cite"');
  const own = at < 0 ? html : html.slice(0, at);
  return htmlToText(own) === '' ? html : own;
}

/** `Emma Taylor via <desk@example.com>`, `Emma Taylor` */
function nameIn(from: string): string {
  const at = from.indexOf('<');
  const name = (at < 0 ? from : from.slice(0, at)).replaceAll('"', '').trim();
  return (name.endsWith(' via') ? name.slice(0, -4) : name) || from.trim() || 'An agent';
}
