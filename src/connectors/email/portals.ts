import type { EnvelopeInput } from '../../core/envelope.ts';
import { isAuthentic } from './authentication.ts';
import type { Mail } from './mail.ts';
import { isOneOf, type Place, type Portal } from './rules.ts';

/** What portals without an API tell only by mail: that somebody reviewed or asked there. */

/** What a rule read of a portal's mail. */
export interface Told {
  /** The portal's id of it, where its mails name one. */
  readonly id?: string;
  /** Who wrote it there; portals show a name at most. */
  readonly author?: string;
  /** Left out: it is no review. */
  readonly review?: Extract<EnvelopeInput, { kind: 'review' }>['review'];
  /** The author's words; left out: they are somewhere in the mail. */
  readonly text?: string;
  /** For people: which portal, and where it is answered. */
  readonly fields: Readonly<Record<string, string>>;
  /** What the rule names and the mail hasn't. */
  readonly remarks: readonly string[];
}

export interface PortalRules {
  readonly portals: readonly Portal[];
  readonly authServer: string | undefined;
}

/** Longer ones tell of nothing: what is cut off could be the end of the author's words. */
const MOST_TEXT = 200_000;
const MOST_HTML = 500_000;
const LONGEST_LINE = 1000;
/** Far enough to the next line that says something. */
const LOOKED_AT = 5000;
const LONGEST_ID = 300;
/** Where the same words stand more often, they are nobody's id. */
const MOST_PLACES = 100;
const LONGEST_URL = 2000;

/**
 * What somebody said on a portal. Text: why a mail that looks like a portal's is read as any other. Undefined: it is of
 * no portal.
 */
export function toldIn(mail: Mail, { portals, authServer }: PortalRules): Told | string | undefined {
  const author = mail.from.find(({ address }) => address !== '');
  const portal = author && portals.find((each) => isFor(each, author.address, mail.subject));
  if (!portal) return undefined;
  // What it says stands in the portal's name, which anybody can write there.
  if (!isAuthentic(mail, authServer)) return `nothing proves that ${portal.from} sent it`;
  return readBy(portal, mail);
}

function isFor({ from, subject }: Portal, address: string, given: string): boolean {
  return isOneOf(address, [from]) && (subject === undefined || flat(given).includes(flat(subject)));
}

function readBy(portal: Portal, mail: Mail): Told | string {
  if (mail.text.length > MOST_TEXT) return without(portal, 'end');
  const whole = ['', mail.subject, ...mail.text.split('\n')].map(flat).join('\n');
  const parts = partsOf(whole, portal.text);
  if (!parts) return without(portal, 'text');
  const { rest, text } = parts;
  const valueOf = (place: Place | undefined, longest = LONGEST_LINE) =>
    place && (valueAt(rest, place).slice(0, longest).toWellFormed() || undefined);
  const rating = ratingIn(valueOf(portal.rating) ?? '');
  const found: Found = {
    author: valueOf(portal.author),
    text,
    product: valueOf(portal.product),
    order: valueOf(portal.order),
    // Else it may be what he wrote, and change somebody else's review.
    id: portal.id && text !== undefined ? onlyValueAt(rest, portal.id) : undefined,
    link: linkIn(rest, mail.html.length > MOST_HTML ? '' : mail.html, portal.link),
  };
  if (portal.rating === undefined)
    return found.author === undefined ? without(portal, 'author') : toTold(portal, found);
  if (rating === undefined || rating <= 0 || rating > portal.outOf) return without(portal, 'rating');
  const { product, order, link: url } = found;
  return { ...toTold(portal, found), review: { rating, maxRating: portal.outOf, ...given({ product, order, url }) } };
}

type Found = Readonly<Record<'author' | 'text' | 'product' | 'order' | 'id' | 'link', string | undefined>>;

function toTold(portal: Portal, found: Found): Told {
  const { author, text, product, order, id, link } = found;
  const absent = (Object.keys(found) as (keyof Found)[]).filter((name) => portal[name] && found[name] === undefined);
  return {
    ...given({ id, author, text }),
    fields: { portal: portal.from, ...given({ product, order, link }) },
    remarks: absent.map((name) => without(portal, name)),
  };
}

function without({ from }: Portal, name: string): string {
  return `the rule for ${from} finds no ${name} in it`;
}

function given(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

/**
 * The author's words, and the rest without them, since they may look like any other part of the mail. They are the
 * longest text that stands so, so that nothing in them can look like their end. Without an end all that follows may be
 * his, and which of it his words are can't be told.
 */
function partsOf(whole: string, place: Place | undefined): { rest: string; text?: string } | undefined {
  if (!place) return { rest: whole };
  const { after, before } = place;
  const from = after === undefined ? 0 : behind(whole, after);
  const to = before === undefined ? whole.length : whole.lastIndexOf(before);
  if (from < 0 || (to < 0 && after === undefined)) return undefined;
  if (to < from) return { rest: whole.slice(0, from) };
  return { rest: `${whole.slice(0, from)}\n${whole.slice(to)}`, text: trimmed(whole.slice(from, to)) };
}

/** What stands at a place, if nothing else does at another such place: a name or a title may look like one. */
function onlyValueAt(text: string, place: Place): string | undefined {
  const mark = place.after ?? place.before ?? '';
  const values = new Set<string>();
  let at = text.indexOf(mark);
  for (let count = 0; at >= 0; count++) {
    if (count === MOST_PLACES) return undefined;
    values.add(valueAt(text, place, at));
    at = text.indexOf(mark, at + 1);
  }
  values.delete('');
  const [value = '', another] = values;
  return another === undefined ? value.slice(0, LONGEST_ID).toWellFormed() || undefined : undefined;
}

/** What stands at a place: up to its end, else on the line; on the next one where that is empty. */
function valueAt(text: string, { after, before }: Place, start = 0): string {
  const from = after === undefined ? start : behind(text, after, start);
  if (from < 0) return '';
  if (before === undefined) {
    const lines = text.slice(from, from + LOOKED_AT).split('\n');
    return lines.map(trimmed).find((line) => line !== '') ?? '';
  }
  const to = text.indexOf(before, from);
  if (to < 0) return '';
  return trimmed(text.slice(after === undefined ? text.lastIndexOf('\n', to - 1) + 1 : from, to));
}

function behind(text: string, after: string, start = 0): number {
  const at = text.indexOf(after, start);
  return at < 0 ? at : at + after.length;
}

/** Stars as they are shown, or the first number. */
function ratingIn(value: string): number | undefined {
  const stars = [...value].filter((each) => each === '★' || each === '⭐').length;
  if (stars > 0) return stars;
  const [number] = /\d{1,3}(?:[.,]\d{1,2})?/.exec(value) ?? [];
  return number === undefined ? undefined : Number(number.replace(',', '.'));
}

/**
 * Where it is answered: the first link in the text that begins so, which no author wrote. HTML has his words too, so
 * there it is what a button leads to, if there is only one.
 */
function linkIn(text: string, html: string, start: string | undefined): string | undefined {
  if (start === undefined) return undefined;
  const at = text.indexOf(start);
  const written = at < 0 ? undefined : linkFrom(text.slice(at, at + LONGEST_URL), start);
  if (written !== undefined) return written;
  const links = new Set(hrefsIn(html).map((href) => linkFrom(href, start)));
  links.delete(undefined);
  return links.size === 1 ? [...links][0] : undefined;
}

function linkFrom(text: string, start: string): string | undefined {
  const [link = ''] = /^[^\s"'<>()[\]\\]{1,2000}/.exec(text) ?? [];
  const isOne = link.startsWith(start) && URL.canParse(link) && new URL(link).origin === new URL(start).origin;
  return isOne ? link : undefined;
}

/** Of links; one that is written in a text or in another attribute is none. */
function hrefsIn(html: string): string[] {
  const links = html.split('<').filter((piece) => /^a\s/i.test(piece));
  return links.flatMap((link) => {
    const [inside = ''] = link.split('>', 1);
    const attributes = inside.matchAll(/([^\s"'=]{1,100})\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"']+))/g);
    const [, , ...values] = [...attributes].find(([, name]) => name?.toLowerCase() === 'href') ?? [];
    return (values.find((value) => value !== undefined) ?? '').trim().replaceAll('&amp;', '&');
  });
}

/** Programs wrap and pad as they like: a space is a space. */
export function flat(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[\s\u00a0\u200b]+/g, ' ')
    .trim();
}

function trimmed(text: string): string {
  return text.replace(/^[\s:]+/, '').trim();
}
