import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { CallBack, Http, HttpRequest } from '../../core/connector.ts';
import { PermanentError, RetryableError, UncertainError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { wordsOf } from '../../core/local-time.ts';
import { signatureOf } from './notification.ts';
import type { Account } from './notification.ts';
import { refusalOf, refusedIn } from './refusals.ts';

/** Where PBXs are asked, unless `apiRoot` says otherwise. */
export const MANGO = 'https://app.mango-office.ru/vpbx';

const MB = 1024 * 1024;
const MAX_RECORDING = 100 * MB;
const RECORDING_MS = 5 * 60_000;
/** Most calls of one answer; the API knows some numbers only. */
export const PAGE = 1000;
/** Statistics take their time; they may be asked for every five seconds. */
const READY_EVERY_MS = 5000;
const READY_WITHIN = 36;
/** The clocks that periods are told by. */
const ZONE = 'Europe/Moscow';

/** One call of the statistics, as it came. */
export type Line = Readonly<Record<string, unknown>>;

/** Methods of API Mango Office 1.9 (https://www.mango-office.ru/support/api/), with our errors. */
export interface MangoApi {
  /** Calls of a period of at most a month, milliseconds, in no order; `PAGE` at most, behind `skip` others. */
  calls(
    period: { readonly from: number; readonly to: number; readonly skip: number },
    signal: AbortSignal,
  ): Promise<Line[]>;
  /** The bytes of a recording. */
  recording(id: string): Promise<Readable>;
  /** Rings up the employee, then the customer. An unknown outcome is `UncertainError`: who repeats it calls twice. */
  callBack(wish: CallBack, signal: AbortSignal): Promise<void>;
  /** Resolves where key and salt are right. */
  balance(signal: AbortSignal): Promise<void>;
}

const Requested = z.object({ key: z.string().min(1) });
const Lists = z.array(z.object({ list: z.array(z.record(z.string(), z.unknown())).default([]) }));
/** `work`, until it is complete. */
const Statistics = z.object({ status: z.string(), data: z.unknown().optional() });
const GIVEN_UP: ReadonlySet<string> = new Set(['error', 'cancel', 'not-found']);

const EXTENSION = /^\d{1,20}$/;
const AGENT_HINT = 'Enter the extension of an employee; who has none can not be rung up.';

export function createApi(deps: {
  readonly http: Http;
  readonly clock: Clock;
  readonly apiRoot: string;
  readonly account: Account;
}): MangoApi {
  const { http, clock, apiRoot, account } = deps;

  function requestOf(method: string, params: object): HttpRequest {
    const json = JSON.stringify(params);
    const form = { vpbx_api_key: account.key, sign: signatureOf(json, account).toString('hex'), json };
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url: `${apiRoot}/${method}`, headers, body: new URLSearchParams(form).toString() };
  }

  /** The answer as JSON; undefined for none. */
  async function call(method: string, params: object, signal: AbortSignal): Promise<unknown> {
    const request = { ...requestOf(method, params), maxBytes: 16 * MB, signal };
    const { status, text } = await http.send(request).catch((error: unknown) => {
      throw refusalOf(method, error);
    });
    const answer = jsonOf(Buffer.from(text));
    const refused = refusedIn(method, answer, { status, text: text.slice(0, 2048) });
    if (refused) throw refused;
    return answer;
  }

  async function statistics(key: string, signal: AbortSignal): Promise<Line[] | undefined> {
    const answer = Statistics.safeParse(await call('stats/calls/result/', { key }, signal)).data;
    if (answer === undefined) return undefined;
    if (GIVEN_UP.has(answer.status)) throw new RetryableError(`stats/calls/result: ${answer.status}`);
    if (answer.status !== 'complete') return undefined;
    const lists = Lists.safeParse(answer.data);
    if (lists.success) return lists.data.flatMap(({ list }) => list);
    throw new RetryableError('stats/calls/result: the answer is no list of calls');
  }

  return {
    async calls({ from, to, skip }, signal) {
      const period = { start_date: dateOf(from), end_date: dateOf(to), limit: PAGE, offset: skip };
      const asked = Requested.safeParse(await call('stats/calls/request/', period, signal));
      if (!asked.success) throw new RetryableError('stats/calls/request: the answer has no key');
      for (let tries = 0; tries < READY_WITHIN; tries++) {
        await clock.sleep(READY_EVERY_MS, signal);
        const lines = await statistics(asked.data.key, signal);
        if (lines) return lines;
      }
      throw new RetryableError(
        `stats/calls/result: not ready within ${(READY_WITHIN * READY_EVERY_MS) / 60_000} minutes`,
      );
    },
    async recording(id) {
      const method = 'queries/recording/post';
      let isElsewhere = false;
      const mayFollow = (to: URL) => {
        isElsewhere = !isOurs(to, apiRoot);
        return !isElsewhere;
      };
      const request = { ...requestOf(method, { recording_id: id, action: 'download' }), mayFollow };
      const limits = { maxBytes: MAX_RECORDING, timeoutMs: RECORDING_MS };
      const { headers, body } = await http.stream({ ...request, ...limits }).catch((error: unknown) => {
        if (!isElsewhere) throw refusalOf(method, error);
        throw new PermanentError("the recording lies at none of Mango's addresses", { cause: error });
      });
      if (!/\bjson\b/.test(headers['content-type'] ?? '')) return body;
      const response = { status: 200, text: await beginningOf(body) };
      const refused = refusedIn(method, jsonOf(Buffer.from(response.text)), response);
      throw refused ?? new PermanentError(`${method}: an answer in place of the recording`, { response });
    },
    async callBack({ id, agent, to }, signal) {
      const method = 'commands/callback';
      if (!EXTENSION.test(agent)) throw new PermanentError(`${method}: no extension`, { hint: AGENT_HINT });
      try {
        await call(method, { command_id: id, from: { extension: agent }, to_number: to.replace(/\D/g, '') }, signal);
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; Mango may be calling all the same`, { cause: error });
      }
    },
    async balance(signal) {
      await call('account/balance', {}, signal);
    },
  };
}

async function beginningOf(body: Readable): Promise<string> {
  let text = '';
  for await (const chunk of body) {
    text += String(chunk);
    if (text.length > 2048) break;
  }
  return text.slice(0, 2048);
}

/** `31.10.2026 00:00:00` */
function dateOf(moment: number): string {
  return wordsOf(moment, ZONE).replace(/^(\d+)-(\d+)-(\d+)/, '$3.$2.$1');
}

/** Mango hands recordings out from hosts of its own, by links that are good for one time. */
function isOurs({ protocol, host, origin }: URL, apiRoot: string): boolean {
  if (origin === new URL(apiRoot).origin) return true;
  return protocol === 'https:' && /(^|\.)mango-office\.ru$/.test(host);
}
