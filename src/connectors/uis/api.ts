import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { CallBack, Http } from '../../core/connector.ts';
import { PermanentError, RetryableError, UncertainError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { wordsOf } from '../../core/local-time.ts';
import type { Secret } from '../../core/secret.ts';
import type { Places } from './platform.ts';
import { refusalOf, refusedIn } from './refusals.ts';

const MB = 1024 * 1024;
/** An hour of talk, uncompressed. */
const MAX_RECORDING = 100 * MB;
const RECORDING_MS = 10 * 60_000;
/** Most calls of one answer; the vendor would give ten times as many. */
export const PAGE = 1000;

/** Only what all four portals describe: a field that one of them doesn't know makes it refuse everything. */
const FIELDS = [
  ...['id', 'communication_id', 'start_time', 'finish_time', 'finish_reason', 'direction', 'is_lost'],
  ...['contact_phone_number', 'contact_full_name', 'virtual_phone_number', 'last_answered_employee_full_name'],
  ...['wait_duration', 'talk_duration', 'call_records', 'voice_mail_records'],
];

/** A call of the report, as it came. */
export type Row = Readonly<Record<string, unknown>>;

/** Methods of both APIs, with our errors. Every call costs a point, and points are counted by minute and day. */
export interface UisApi {
  /** Calls that are over and began in a period of at most three months, the oldest first; `PAGE` at most, behind `skip` others. */
  calls(
    period: { readonly from: number; readonly to: number; readonly skip: number },
    signal: AbortSignal,
  ): Promise<Row[]>;
  /** Rings up the employee, then the customer: the id of the call. An unknown outcome is `UncertainError`. */
  callBack(wish: CallBack, signal: AbortSignal): Promise<string>;
  recording(url: string): Promise<{ readonly mediaType: string; readonly body: Readable }>;
}

const Rows = z.object({ result: z.object({ data: z.array(z.record(z.string(), z.unknown())) }) });
const Started = z.object({
  result: z.object({ data: z.object({ call_session_id: z.union([z.number(), z.string()]) }) }),
});

const AGENT_HINT = "Enter the id of an employee: the cabinet shows it in the employee's settings.";
const NUMBER_HINT = "Set virtualNumber: the vendor's number that customers see when they are called back.";

export function createApi(deps: {
  readonly http: Http;
  readonly places: Places;
  readonly accessToken: Secret;
  readonly timeZone: string;
  readonly virtualNumber: string | undefined;
}): UisApi {
  const { http, places, timeZone } = deps;

  /** The token goes along in the body, as both APIs want it: in no address, in no header. */
  async function call(url: string, method: string, params: object, signal: AbortSignal): Promise<unknown> {
    const hidden = deps.accessToken.reveal();
    const body = { jsonrpc: '2.0', id: randomUUID(), method, params: { ...params, access_token: hidden } };
    const request = { method: 'POST', url, body, hidden, maxBytes: 16 * MB, signal } as const;
    const { status, text, json } = await http.send(request).catch((error: unknown) => {
      throw refusalOf(method, error);
    });
    const masked = text.replaceAll(hidden, '[secret]');
    const answer = masked === text ? json : jsonOf(Buffer.from(masked));
    const refused = refusedIn(method, answer, { status, text: masked.slice(0, 2048) });
    if (refused) throw refused;
    return answer;
  }

  return {
    async calls({ from, to, skip }, signal) {
      const method = 'get.calls_report';
      const period = { date_from: wordsOf(from, timeZone), date_till: wordsOf(to, timeZone) };
      const order = { sort: [{ field: 'start_time', order: 'asc' }], offset: skip, limit: PAGE };
      const answer = Rows.safeParse(
        await call(places.dataApi, method, { ...period, ...order, fields: FIELDS }, signal),
      );
      if (answer.success) return answer.data.result.data;
      throw new RetryableError(`${method}: the answer is no list of calls`);
    },
    async callBack({ id, agent, to }, signal) {
      const method = 'start.employee_call';
      const { virtualNumber } = deps;
      if (virtualNumber === undefined)
        throw new PermanentError(`${method}: no number to call from`, { hint: NUMBER_HINT });
      if (!/^\d{1,15}$/.test(agent)) throw new PermanentError(`${method}: no employee's id`, { hint: AGENT_HINT });
      const ends = {
        virtual_phone_number: virtualNumber,
        contact: to.replace('+', ''),
        employee: { id: Number(agent) },
      };
      const params = { first_call: 'employee', direction: 'out', external_id: id, ...ends };
      try {
        const answer = Started.safeParse(await call(places.callApi, method, params, signal));
        if (answer.success) return String(answer.data.result.data.call_session_id);
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; UIS may be calling all the same`, { cause: error });
      }
      throw new UncertainError(`${method}: the answer names no call; UIS may be calling all the same`);
    },
    async recording(url) {
      const limits = { maxBytes: MAX_RECORDING, timeoutMs: RECORDING_MS };
      const { headers, body } = await http.stream({ url, ...limits, mayFollow: (to) => places.isOurs(to) });
      return { mediaType: headers['content-type'] ?? '', body };
    },
  };
}
