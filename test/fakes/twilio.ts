import { createHmac } from 'node:crypto';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';
import { startReceiver } from './receiver.ts';
import type { Answer, Received } from './receiver.ts';

export const ACCOUNT = 'AC00000000000000000000000000000001';
export const AUTH_TOKEN = 'fedcba9876543210fedcba9876543210';

const DESCRIPTION = 'twilio/api_v2010.json';
const BASE = `/2010-04-01/Accounts/${ACCOUNT}`;
const CREDENTIALS = `Basic ${Buffer.from(`${ACCOUNT}:${AUTH_TOKEN}`).toString('base64')}`;
const PAGE = 2;

export const sid = (kind: string, number: number): string => `${kind}${String(number).padStart(32, '0')}`;

/** A message as Twilio lists it. */
export type Resource = Readonly<Record<string, unknown>> & {
  readonly sid: string;
  readonly to: string;
  readonly from: string;
};

/** A stand-in for Twilio's API, which checks itself and what it is asked against Twilio's description. */
export interface FakeTwilio {
  readonly root: string;
  /** What was sent, field by field. */
  readonly sent: Readonly<Record<string, string>>[];
  /** Everything that was asked: method and path with its query. */
  readonly asked: string[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  /** What the account has, newest first; two to a page. */
  messages: Resource[];
  /** Calls and their legs, newest first; two to a page. */
  calls: Resource[];
  /** What was recorded, by call, and written down, by recording. */
  readonly recordings: Map<string, object[]>;
  readonly transcriptions: Map<string, object[]>;
  /** Own numbers with the address that messages are pushed to, or with all of their addresses. */
  numbers: Readonly<Record<string, string | object>>;
  /** Bytes by the path of the file; `to`: where the file's address redirects. */
  readonly files: Map<string, { readonly bytes: Buffer; readonly to?: string }>;
  /** The next calls end so instead of being carried out. */
  end(...endings: (Answer | 'drop')[]): void;
  close(): Promise<void>;
}

/** A refusal in the words of Twilio. */
export function refusal(status: number, code: number, message = 'no'): Answer {
  const body = JSON.stringify({ code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status });
  return { status, headers: { 'content-type': 'application/json' }, body };
}

export function listed(given: Partial<Resource> & { readonly sid: string }): Resource {
  return {
    account_sid: ACCOUNT,
    api_version: '2010-04-01',
    body: 'Hello',
    date_created: 'Sun, 22 Nov 2026 08:15:30 +0000',
    date_sent: 'Sun, 22 Nov 2026 08:15:30 +0000',
    date_updated: 'Sun, 22 Nov 2026 08:15:30 +0000',
    direction: 'inbound',
    error_code: null,
    error_message: null,
    from: '+14155550123',
    messaging_service_sid: null,
    num_media: '0',
    num_segments: '1',
    price: null,
    price_unit: null,
    status: 'received',
    to: '+14155550100',
    uri: `${BASE}/Messages/${given.sid}.json`,
    ...given,
  };
}

/** A call as Twilio lists it. */
export function listedCall(given: Partial<Resource> & { readonly sid: string }): Resource {
  return {
    account_sid: ACCOUNT,
    answered_by: null,
    api_version: '2010-04-01',
    caller_name: null,
    date_created: 'Sun, 22 Nov 2026 08:35:29 +0000',
    date_updated: 'Sun, 22 Nov 2026 08:36:47 +0000',
    direction: 'inbound',
    duration: '77',
    end_time: 'Sun, 22 Nov 2026 08:36:47 +0000',
    forwarded_from: null,
    from: '+380671234567',
    parent_call_sid: null,
    start_time: 'Sun, 22 Nov 2026 08:35:30 +0000',
    status: 'completed',
    to: '+14155550100',
    uri: `${BASE}/Calls/${given.sid}.json`,
    ...given,
  };
}

/** A recording as Twilio lists it. */
export function listedRecording(given: object): object {
  return { account_sid: ACCOUNT, channels: 1, duration: '9', source: 'RecordVerb', status: 'completed', ...given };
}

/** Twilio's description, where it is beside the repository; without it everything counts as right. */
export function describedTwilio(): Description | undefined {
  return isDescribed(DESCRIPTION) ? readDescription(DESCRIPTION) : undefined;
}

/** Reading the description takes a second: tests that start many share it. */
export async function startTwilio(description = describedTwilio()): Promise<FakeTwilio> {
  const receiver = await startReceiver();
  const endings: (Answer | 'drop')[] = [];
  const links = new Map<string, Buffer>();

  const fake: FakeTwilio = {
    root: receiver.origin,
    sent: [],
    asked: [],
    violations: [],
    messages: [],
    calls: [],
    recordings: new Map(),
    transcriptions: new Map(),
    numbers: {},
    files: new Map(),
    end(...next) {
      endings.push(...next);
      // A dropped connection is the receiver's to do.
      receiver.behave(next[0] === 'drop' ? 'drop' : answer);
    },
    close: () => receiver.close(),
  };

  function answer(request: Received): Answer {
    const [path = '', query = ''] = request.url.split('?');
    const cdn = links.get(path);
    if (cdn) {
      if (request.headers.authorization) fake.violations.push('credentials at the CDN');
      return { status: 200, body: cdn };
    }
    fake.asked.push(`${request.method} ${request.url}`);
    const file = fake.files.get(path);
    if (file) return redirect(request, file);
    // How files are had stands in pages only: https://www.twilio.com/docs/voice/api/recording#fetch-a-recordings-media-file
    if (/\/Recordings\/RE\w+\.mp3$/.test(path)) return refusal(404, 20404, 'not found');
    check(request);
    const ending = endings.shift();
    if (ending && ending !== 'drop') return ending;
    if (request.headers.authorization !== CREDENTIALS) return refusal(401, 20003, 'Authenticate');
    const result = carryOut(request, path, new URLSearchParams(query));
    if (!result) return refusal(404, 20404, 'not found');
    const { status, body } = result;
    fake.violations.push(...(description?.response({ method: request.method, path: request.url }, status, body) ?? []));
    return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  }
  receiver.behave(answer);

  function check({ method, url, headers, body }: Received): void {
    const fields = Object.fromEntries(new URLSearchParams(body.toString()));
    const types = { 'content-type': headers['content-type'] ?? '' };
    const asked = { method, path: url, headers: types, ...(method === 'POST' && { body: fields }) };
    fake.violations.push(...(description?.request(asked) ?? []));
  }

  function redirect({ headers }: Received, { bytes, to }: { bytes: Buffer; to?: string }): Answer {
    if (headers.authorization !== CREDENTIALS) return refusal(401, 20003, 'Authenticate');
    const link = `/cdn/${links.size}`;
    links.set(link, bytes);
    return { status: 307, headers: { location: to ?? `${receiver.origin}${link}` } };
  }

  function carryOut({ method, body }: Received, path: string, query: URLSearchParams) {
    const own = path.slice(BASE.length);
    if (method === 'POST')
      return { status: 201, body: madeOf(own, Object.fromEntries(new URLSearchParams(body.toString()))) };
    const list = (key: string, found: readonly unknown[]) => ({ status: 200, body: pageOf(path, key, found, query) });
    if (own === '/Messages.json')
      return list('messages', since(fake.messages, 'date_sent', query.get('DateSent>'), query));
    if (own === '/Calls.json') return list('calls', since(fake.calls, 'start_time', query.get('StartTime>'), query));
    const [, kind, parent = ''] =
      /\/(Messages|Calls|Recordings)\/(\w+)\/(?:Media|Recordings|Transcriptions)\.json$/.exec(own) ?? [];
    if (kind === 'Messages') return { status: 200, body: mediaOf(parent) };
    if (kind === 'Calls') return list('recordings', fake.recordings.get(parent) ?? []);
    if (kind === 'Recordings') return list('transcriptions', fake.transcriptions.get(parent) ?? []);
    return own === '/IncomingPhoneNumbers.json' ? { status: 200, body: numbersOf(query) } : undefined;
  }

  function madeOf(own: string, fields: Record<string, string>): object {
    fake.sent.push(fields);
    const { To: to = '', From: from = '', Body: text } = fields;
    const number = 900 + fake.sent.length - 1;
    const made = { to, from, direction: 'outbound-api', status: 'queued' };
    if (own === '/Calls.json') return listedCall({ ...made, sid: sid('CA', number), start_time: null, end_time: null });
    return listed({ ...made, sid: sid('SM', number), body: text });
  }

  function numbersOf(query: URLSearchParams): object {
    const numbers = Object.entries(fake.numbers).filter(([number]) => number === query.get('PhoneNumber'));
    const addresses = (given: string | object) => (typeof given === 'string' ? { sms_url: given } : given);
    return { incoming_phone_numbers: numbers.map(([phone_number, given]) => ({ phone_number, ...addresses(given) })) };
  }

  function since(all: readonly Resource[], field: string, from: string | null, query: URLSearchParams): Resource[] {
    const least = Date.parse(from ?? '1970-01-01T00:00:00Z');
    const is = (name: string, value: unknown) => (query.get(name) ?? value) === value;
    return all.filter(
      (one) =>
        is('To', one.to) &&
        is('From', one.from) &&
        is('ParentCallSid', one.parent_call_sid) &&
        Date.parse(String(one[field])) >= least,
    );
  }

  function pageOf(path: string, key: string, found: readonly unknown[], query: URLSearchParams): object {
    const start = Number(query.get('Page') ?? 0) * PAGE;
    const next = new URLSearchParams(query);
    next.set('Page', String(start / PAGE + 1));
    const hasMore = found.length > start + PAGE;
    return {
      [key]: found.slice(start, start + PAGE),
      next_page_uri: hasMore ? `${path}?${next.toString()}` : null,
    };
  }

  function mediaOf(parent: string): object {
    const start = `${BASE}/Messages/${parent}/Media/`;
    const paths = [...fake.files.keys()].filter((path) => path.startsWith(start));
    return {
      media_list: paths.map((path) => ({
        sid: path.slice(start.length),
        account_sid: ACCOUNT,
        parent_sid: parent,
        content_type: 'image/jpeg',
        uri: `${path}.json`,
      })),
      next_page_uri: null,
    };
  }

  return fake;
}

/**
 * Signs a form as Twilio's page on security describes it, written apart from the library that checks it.
 * https://www.twilio.com/docs/usage/webhooks/webhooks-security
 */
export function signForm(url: string, params: Readonly<Record<string, string>>, token = AUTH_TOKEN): string {
  const names = Object.keys(params).sort();
  const text = `${url}${names.map((name) => `${name}${params[name]}`).join('')}`;
  return createHmac('sha1', token).update(text, 'utf8').digest('base64');
}
