import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { CallBack, Http, HttpRequest, HttpResponse } from '../../core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RetryableError,
  textOf,
  TributaryError,
  UncertainError,
} from '../../core/errors.ts';
import { momentOf, wordsOf } from '../../core/local-time.ts';
import type { Secret } from '../../core/secret.ts';

/** Where projects are asked, unless `apiRoot` says otherwise. */
export const RINGOSTAT = 'https://api.ringostat.net';

const MB = 1024 * 1024;
/** An hour of talk, uncompressed. */
const MAX_RECORDING = 100 * MB;
const RECORDING_MS = 10 * 60_000;
/** The most calls of one answer: https://help.ringostat.com/uk/articles/6312678 */
const MOST_CALLS = 6500;
const WEEK_MS = 7 * 86_400_000;
/**
 * In which zone the bounds of an export are meant isn't documented, and clocks are at most 14 hours before UTC and 12
 * behind it: so more is asked for on both sides, and the date of each call decides.
 */
const ZONES_MS = 26 * 3_600_000;

const FIELDS = [
  ...['uniqueid', 'calldate', 'call_type', 'caller', 'dst', 'disposition', 'billsec', 'waittime'],
  ...['connected_with', 'employee_fio', 'has_recording', 'recording'],
].join(',');

/** A line of the call log, as it came. */
export type Line = Readonly<Record<string, unknown>>;

export interface RingostatApi {
  /** Calls that began between two moments, milliseconds, the oldest first. */
  calls(from: number, to: number, signal: AbortSignal): AsyncIterable<Line>;
  /** Rings up the employee, then the customer. An unknown outcome is `UncertainError`: who repeats it calls twice. */
  callBack(wish: CallBack, signal: AbortSignal): Promise<void>;
  recording(url: string): Promise<Readable>;
}

const OUTWARD_CALL = 'callback/outward_call';
const AGENT_HINT = "The employee's number must be one that is connected to the project, in international form.";
/** What no answer to a call that begins should have. */
const Refused = z.object({ error: z.union([z.string().min(1), z.record(z.string(), z.unknown())]) });

const Lines = z.array(z.record(z.string(), z.unknown()));

export function createApi(deps: {
  readonly http: Http;
  readonly apiRoot: string;
  readonly authKey: Secret;
  readonly timeZone: string;
}): RingostatApi {
  const { http, apiRoot, timeZone } = deps;

  async function call(name: string, path: string, request: Omit<HttpRequest, 'url'>): Promise<HttpResponse> {
    const headers = { 'Auth-key': deps.authKey.reveal(), ...request.headers };
    try {
      return await http.send({ ...request, url: `${apiRoot}${path}`, headers });
    } catch (error) {
      throw refusalOf(name, error);
    }
  }

  async function list(from: number, to: number, signal: AbortSignal): Promise<Line[]> {
    const bounds = { from: wordsOf(from - ZONES_MS, timeZone), to: wordsOf(to + ZONES_MS, timeZone) };
    const query = { export_type: 'json', ...bounds, fields: FIELDS, merge: '0', order: 'calldate asc' };
    const path = `/calls/list?${new URLSearchParams(query).toString()}`;
    const { json, text } = await call('calls/list', path, { maxBytes: 16 * MB, signal });
    if (text.trim() === '') return [];
    const lines = Lines.safeParse(json);
    if (lines.success) return lines.data;
    throw new RetryableError('calls/list: the answer is no list of calls', {
      response: { status: 200, text: text.slice(0, 2048) },
    });
  }

  async function* calls(from: number, to: number, signal: AbortSignal): AsyncIterable<Line> {
    const lines = await list(from, to, signal);
    if (lines.length < MOST_CALLS) {
      yield* lines.filter(({ calldate }) => isWithin(momentOf(String(calldate), timeZone), from, to));
      return;
    }
    // What is missing behind the last one nobody knows. Beyond this, no smaller time helps: the bounds are wide.
    if (to - from < 60_000) throw new RetryableError(`calls/list: more than ${MOST_CALLS} calls in two days`);
    const middle = Math.floor((from + to) / 2);
    yield* calls(from, middle, signal);
    yield* calls(middle, to, signal);
  }

  return {
    async *calls(from, to, signal) {
      for (let at = from; at < to; at += WEEK_MS) yield* calls(at, Math.min(at + WEEK_MS, to), signal);
    },
    async callBack({ agent, to }, signal) {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const body = new URLSearchParams({ extension: agent, destination: to.replace('+', '') }).toString();
      try {
        const request = { method: 'POST', headers, body, signal } as const;
        const { json, text } = await call(OUTWARD_CALL, `/${OUTWARD_CALL}`, request);
        if (!Refused.safeParse(json).success) return;
        const response = { status: 200, text: text.slice(0, 2048) };
        throw new PermanentError(`${OUTWARD_CALL}: refused: ${response.text}`, { response, hint: AGENT_HINT });
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; Ringostat may be calling all the same`, { cause: error });
      }
    },
    async recording(url) {
      return (await http.stream({ url, maxBytes: MAX_RECORDING, timeoutMs: RECORDING_MS })).body;
    },
  };
}

/** A date that can't be read is no reason to leave a call out. */
function isWithin(moment: number | undefined, from: number, to: number): boolean {
  return moment === undefined || (moment >= from && moment < to);
}

const KEY_HINT = 'Compare the Auth-key with Integration, Ringostat API in the cabinet of the project.';

function refusalOf(name: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response } = error;
  const text = `${name}: ${textOf(error)}`;
  if (response.status === 401 || response.status === 403) {
    return new AuthExpiredError(text, { cause: error, response, hint: KEY_HINT });
  }
  if (!(error instanceof PermanentError)) return error;
  return new PermanentError(text, { cause: error, response, ...(name === OUTWARD_CALL && { hint: AGENT_HINT }) });
}
