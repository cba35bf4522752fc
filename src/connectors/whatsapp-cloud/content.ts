import { z } from 'zod';
import type { Attachment } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import { reasonOf } from './failures.ts';
import type { Message } from './payload.ts';

/** What a message holds: text, files, and for what is neither a line that says it. */
interface Content {
  readonly text?: string;
  readonly attachments?: readonly Attachment[];
  readonly fields?: Readonly<Record<string, string | undefined>>;
  /** Set where it is no message to the business: its name. */
  readonly notice?: string;
}

const text = z.string().optional();
const Media = z.object({
  id: z.union([z.string().min(1).max(512), z.number().int()]).transform(String),
  mime_type: z.string().max(255).optional(),
  caption: text,
  filename: text,
});
const Place = z.object({ latitude: z.number(), longitude: z.number(), name: text, address: text, url: text });
const Card = z.object({
  name: z.object({ formatted_name: text, first_name: text, last_name: text }).default({}),
  phones: z.array(z.object({ phone: text, wa_id: text })).default([]),
  emails: z.array(z.object({ email: text })).default([]),
  org: z.object({ company: text }).nullish(),
});
const Order = z.object({
  catalog_id: text,
  text,
  product_items: z.array(
    z.object({
      product_retailer_id: z.coerce.string(),
      quantity: z.coerce.string(),
      item_price: z.coerce.string().optional(),
      currency: text,
    }),
  ),
});
const Choice = z.object({ id: text, title: z.string().default(''), description: text });
const Interactive = z.looseObject({
  type: z.string().default('unknown'),
  button_reply: Choice.optional(),
  list_reply: Choice.optional(),
  nfm_reply: z.object({ name: text, body: text, response_json: z.string().default('{}') }).optional(),
  call_permission_reply: z.object({ response: text }).optional(),
});

const KINDS: Readonly<Record<string, (value: unknown) => Content>> = {
  text: (value) => ({ text: z.object({ body: z.string() }).parse(value).body }),
  image: file('image', 'image/jpeg'),
  audio: file('audio', 'audio/ogg'),
  voice: file('audio', 'audio/ogg'),
  video: file('video', 'video/mp4'),
  document: file('document', 'application/octet-stream'),
  sticker: file('sticker', 'image/webp'),
  location: (value) => {
    const { latitude, longitude, name, address, url } = Place.parse(value);
    const spot = `${latitude}, ${longitude}`;
    return {
      text: ['📍', [name, address].filter(Boolean).join(', ') || spot].join(' '),
      fields: { latitude: String(latitude), longitude: String(longitude), place_url: url },
    };
  },
  contacts: (value) => {
    const cards = z.array(Card).parse(value);
    const [first] = cards;
    return {
      text: cards.map((card) => `👤 ${[nameOf(card), ...waysOf(card)].filter(Boolean).join(', ')}`).join('\n'),
      fields: { contact_name: first && nameOf(first), contact_phone: first?.phones[0]?.phone },
    };
  },
  order: (value) => {
    const order = Order.parse(value);
    const lines = order.product_items.map(({ quantity, product_retailer_id, item_price, currency }) =>
      [`${quantity} × ${product_retailer_id}`, [item_price, currency].filter(Boolean).join(' ')]
        .filter(Boolean)
        .join(', '),
    );
    return {
      text: ['🛒', ...lines, order.text].filter(Boolean).join('\n'),
      fields: { catalog: order.catalog_id },
    };
  },
  button: (value) => {
    const button = z.object({ payload: text, text: z.string() }).parse(value);
    return { text: button.text, fields: { button: button.payload } };
  },
  interactive: (value) => {
    const { type, button_reply, list_reply, nfm_reply, call_permission_reply } = Interactive.parse(value);
    if (call_permission_reply)
      return { notice: `call_permission_reply ${call_permission_reply.response ?? ''}`.trim() };
    const choice = button_reply ?? list_reply;
    if (choice) {
      const { title, description } = choice;
      return { text: [title, description].filter(Boolean).join('\n'), fields: { button: choice.id } };
    }
    if (nfm_reply) {
      return {
        text: nfm_reply.body || `📝 ${nfm_reply.name ?? ''}`.trim(),
        fields: answersOf(nfm_reply.response_json),
      };
    }
    return { text: `⚠️ ${type}`, fields: { unsupported: type } };
  },
};

/** What a message holds; what WhatsApp doesn't pass on, or what is newer than this version, is named instead. */
export function contentOf(message: Message): Content {
  const { type } = message;
  const read = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  const content = read && message[type] !== undefined ? read(message[type]) : unknownContent(message);
  const error = message.errors.map(reasonOf).join('; ');
  return error === '' ? content : { ...content, fields: { ...content.fields, error } };
}

/** Words that came with a kind we don't know are still the customer's. */
function unknownContent(message: Message): Content {
  const words = z.object({ text: z.object({ body: z.string() }) }).safeParse(message);
  const named = z.object({ unsupported: z.object({ type: z.string() }) }).safeParse(message);
  const kind = named.data?.unsupported.type ?? message.type;
  return { text: words.data?.text.body ?? `⚠️ ${kind}`, fields: { unsupported: kind } };
}

function file(name: string, mediaType: string): (value: unknown) => Content {
  return (value) => {
    const { id, mime_type = mediaType, caption, filename } = Media.parse(value);
    const type = (mime_type.split(';', 1)[0] ?? '').trim();
    const ending = ENDINGS.get(type.toLowerCase());
    const shown = filename || (ending ? `${name}.${ending}` : name);
    return { text: caption ?? '', attachments: [{ id, name: shown.slice(0, 255), mediaType: type || mediaType }] };
  };
}

const ENDINGS: ReadonlyMap<string, string> = new Map([
  ['image/jpeg', 'jpg'],
  ['image/png', 'png'],
  ['image/webp', 'webp'],
  ['audio/ogg', 'ogg'],
  ['audio/mpeg', 'mp3'],
  ['audio/mp4', 'm4a'],
  ['audio/aac', 'aac'],
  ['audio/amr', 'amr'],
  ['video/mp4', 'mp4'],
  ['video/3gpp', '3gp'],
]);

function nameOf({ name, org }: z.output<typeof Card>): string {
  return name.formatted_name ?? ([name.first_name, name.last_name].filter(Boolean).join(' ') || (org?.company ?? ''));
}

function waysOf({ phones, emails }: z.output<typeof Card>): (string | undefined)[] {
  return [...phones.map(({ phone }) => phone), ...emails.map(({ email }) => email)];
}

/** What was filled in, by name; the token of the form is nobody's answer. */
function answersOf(json: string): Record<string, string> {
  const read = z.record(z.string().min(1).max(200), z.unknown()).safeParse(readable(json));
  const answers = Object.entries(read.data ?? { response: json }).filter(([name]) => name !== 'flow_token');
  const shown = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return Object.fromEntries(answers.map(([name, value]) => [name, shown(value)]));
}

function readable(json: string): unknown {
  try {
    return parseJson(Buffer.from(json));
  } catch {
    return undefined;
  }
}
