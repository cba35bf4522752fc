import type { Line } from './lines.ts';
import { isRule } from './lines.ts';

/** What stands below a text without belonging to it: signatures, `Sent from my phone`, notices of companies. */

/** More lines are no signature but text below a line. */
const MOST_LINES = 20;

/** Where the signature begins among `lines`, all of which belong to one text; their number when there is none. */
export function signatureIn(lines: readonly Line[]): number {
  let end = lines.length;
  for (;;) {
    const next = shortened(lines, withoutTail(lines, end));
    if (next >= end) return end;
    end = next;
  }
}

/** Without blank lines, lines that only separate, and what phones and scanners add. */
function withoutTail(lines: readonly Line[], end: number): number {
  let at = end;
  while (at > 0) {
    const { bare, depth } = lines[at - 1] ?? { bare: '', depth: 0 };
    if (depth > 0 || !(bare === '' || isRule(bare) || isFromDevice(bare))) break;
    at--;
  }
  return at;
}

function shortened(lines: readonly Line[], end: number): number {
  const delimiter = delimiterIn(lines, end);
  if (delimiter !== undefined) return delimiter;
  return noticeIn(lines, end) ?? nameIn(lines, end) ?? end;
}

/** `-- ` (RFC 3676 4.3) or the line that mailing lists draw, with few enough lines below. */
function delimiterIn(lines: readonly Line[], end: number): number | undefined {
  let count = 0;
  for (let at = end - 1; at >= 0; at--) {
    const { bare, depth } = lines[at] ?? { bare: '', depth: 0 };
    if (depth > 0 || count > MOST_LINES) return undefined;
    if (bare === '--' || bare === '—' || /^_{20,}$/.test(bare)) return at;
    if (bare !== '') count++;
  }
  return undefined;
}

/** A last paragraph that says for whom the mail is, or that it was scanned. */
function noticeIn(lines: readonly Line[], end: number): number | undefined {
  let start = end;
  while (start > 0 && lines[start - 1]?.bare !== '' && lines[start - 1]?.depth === 0) start--;
  if (start === end) return undefined;
  const text = lines
    .slice(start, end)
    .map(({ bare }) => bare)
    .join(' ')
    .toLowerCase();
  return isNotice(text) ? start : undefined;
}

function isNotice(text: string): boolean {
  if (/^(?:disclaimer|confidentiality notice|haftungsausschluss|avertissement|aviso legal)[:.]?$/.test(text))
    return true;
  if (SCANNED.some((each) => text.includes(each))) return text.length < 300;
  // Who asks about secrets and recipients wants an answer.
  return has(text, SECRET) && has(text, ADDRESSEE) && !text.includes('?');
}

const has = (text: string, stems: readonly string[]): boolean => stems.some((stem) => text.includes(stem));

const SECRET = [
  ...[
    'confidential',
    'privileged',
    'vertraulich',
    'confidentiel',
    'confidencial',
    'riservat',
    'poufn',
    'vertrouwelijk',
  ],
  ...['конфиденциальн', 'конфіденційн', 'konfidentiell', 'fortrolig', 'luottamuksel', 'důvěrn', 'bizalmas'],
];
const ADDRESSEE = [
  ...[
    'recipient',
    'addressee',
    'intended',
    'empfänger',
    'adressat',
    'destinataire',
    'destinatari',
    'adresat',
    'odbiorc',
  ],
  ...[
    'geadresseerde',
    'получател',
    'адресат',
    'адресован',
    'одержувач',
    'отримувач',
    'mottagare',
    'modtager',
    'mottaker',
  ],
];
const SCANNED = [
  ...[
    'virus-free.',
    'checked for viruses',
    'scanned for viruses',
    'has been scanned by',
    'scansionato',
    'viren geprüft',
  ],
  ...[
    'auf viren untersucht',
    'без вирусов.',
    'проверено на вирусы',
    'перевірено на віруси',
    'без вірусів.',
    'sin virus.',
  ],
  ...['consider the environment before printing', 'think before you print', 'garanti sans virus', 'libre de virus.'],
];

/** `-Ann Smith` as the last line. */
function nameIn(lines: readonly Line[], end: number): number | undefined {
  const { bare, depth } = lines[end - 1] ?? { bare: '', depth: 0 };
  if (depth > 0 || !/^-\p{Lu}[\p{L}.'’]{0,30}(?: \p{L}[\p{L}.'’-]{0,30}){0,3}$/u.test(bare)) return undefined;
  // Among others of its kind it is the last one of a list.
  const isAlone = lines[end - 2]?.bare === '' && !lines.slice(0, end - 1).some((line) => line.bare.startsWith('-'));
  return isAlone ? end - 1 : undefined;
}

/** The first paragraph, in lower case: a mail server warns whoever works there. */
export function isBanner(text: string): boolean {
  return OUTSIDE.some((each) => text.includes(each)) && /\b(?:links?|attachments?)\b|caution|warning/.test(text);
}

const OUTSIDE = ['originated from outside', 'external email', 'external sender', 'external e-mail', 'from an external'];

const SENT = new Set([
  ...['sent', 'gesendet', 'verschickt', 'envoyé', 'enviado', 'enviada', 'enviat', 'inviato', 'inviata', 'wysłane'],
  ...['wysłano', 'wysłana', 'отправлено', 'відправлено', 'надіслано', 'послано', 'verzonden', 'verstuurd', 'skickat'],
  ...['sendt', 'lähetetty', 'odesláno', 'odoslané', 'küldve', 'elküldve', 'trimis', 'poslano'],
]);
const WITH = new Set([
  ...[
    'from',
    'via',
    'with',
    'by',
    'using',
    'mit',
    'von',
    'vom',
    'aus',
    'über',
    'depuis',
    'de',
    'du',
    "d'un",
    'à',
    'avec',
  ],
  ...['desde', 'con', 'da', 'dal', 'dallo', 'do', 'pelo', 'z', 'ze', 'za', 'с', 'со', 'из', 'через', 'з', 'із', 'зі'],
  ...['vanaf', 'met', 'från', 'med', 'fra', 'min', 'din', 's', 'на', 'iphonesta', 'mobilról'],
]);
const GET =
  /^(?:get|download|holen sie sich|laden sie|obtenir|obtenez|télécharger|téléchargez|obtener|obtén|obter|scarica|ottieni|pobierz|получить|получите|скачать|скачайте|отримати|отримайте|завантажити|завантажте|skaffa|hanki|hämta) /;
const PROGRAM = /outlook|yahoo|proton ?mail|spark|mail\.ru|mymail|bluemail|яндекс|ukr\.net/;
const DEVICE =
  /iphone|ipad|ipod|apple|android|samsung|galaxy|huawei|xiaomi|redmi|oneplus|pixel|nokia|htc|motorola|honor|realme|lenovo|blackberry|windows|outlook|yahoo|proton|thunderbird|airmail|mailbox|spark|mail|ukr\.net|яндекс|почт|пошт|phone|mobil|мобіл|мобил|телефон|смартфон|планшет|tablet|handy|téléphone|teléfono|telefon|cell|device|gerät/;
const EXCUSE = /excuse|typo|brevity|autocorrect|apolog|entschuldig|fautes|errores|błędy|опечат|помилк/;

/** `Sent from my iPhone`, in the languages and with the devices that there are. */
export function isFromDevice(bare: string): boolean {
  if (bare.length > 160) return false;
  const text = bare
    .toLowerCase()
    .replace(/\(?<?https?:\/\/[^\s<>()]+>?\)?/g, '')
    .replace(/^[\s<([*_]+/, '')
    .replace(/[\])>*_.!\s]{1,20}$/, '');
  if (/^(?:從我的|发自我的|發自我的|iphoneから|ipadから|androidから)/.test(text)) return true;
  const [said = '', ...more] = text.split(/[,.] | {2}/);
  if (more.length > 0 && !EXCUSE.test(more.join(' '))) return false;
  if (GET.test(said)) return PROGRAM.test(said) && said.length < 60;
  return saysSent(said);
}

function saysSent(said: string): boolean {
  const words = said.split(/[\s[\]()]+/).filter((word) => word !== '');
  if (words.length < 2 || words.length > 10) return false;
  if (/^sent from my |^from my (?:iphone|ipad|android)|^\S+ from mobile$/.test(said)) return true;
  const isFirst = SENT.has(words[0] ?? '') && WITH.has(words[1] ?? '');
  const isLast = /^(?:von|diese nachricht wurde) .*gesendet$/.test(said) || /(?:dan|den) gönderildi$/.test(said);
  return (isFirst || isLast) && DEVICE.test(said);
}
