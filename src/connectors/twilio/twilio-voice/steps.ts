import { queryOf } from '../../../core/payload.ts';
import type { Payload } from '../../../core/payload.ts';

/**
 * Where in the course of a call Twilio asks us, told by the address that we gave it; none where it calls the address
 * that stands in its Console. The signature covers it.
 *
 * | step        | asked when                                                                  |
 * |-------------|-----------------------------------------------------------------------------|
 * | `accept`    | an agent's phone was picked up: by him, or by his voicemail                 |
 * | `accepted`  | he pressed a key                                                            |
 * | `dialed`    | ringing at the agents, or talking to one of them, is over                   |
 * | `talk`      | the recording of the talk can be fetched                                    |
 * | `recorded`  | the caller has left a message                                               |
 * | `message`   | its recording can be fetched                                                |
 * | `words`     | it is written down                                                          |
 * | `agent`     | call-back: the agent's phone was picked up                                  |
 * | `connect`   | call-back: he pressed a key                                                 |
 * | `connected` | call-back: ringing at the customer, or talking to him, is over              |
 * | `callback`  | call-back: the call to the agent is over                                    |
 */
export const steps = [
  'accept',
  'accepted',
  'dialed',
  'talk',
  'recorded',
  'message',
  'words',
  'agent',
  'connect',
  'connected',
  'callback',
] as const;
export type Step = (typeof steps)[number];

/** What our addresses carry, since some of Twilio's requests say little of the call that they are about. */
export interface Place {
  readonly step?: Step;
  /** The whole call, where Twilio asks about a leg of it. */
  readonly call?: string;
  /** When it began, milliseconds since the epoch. */
  readonly at?: number;
  /** Call-back: who is called. */
  readonly customer?: string;
}

export function addressOf(webhookUrl: string, { step, call, at, customer }: Place & { readonly step: Step }): string {
  const query = new URLSearchParams({
    step,
    ...(call !== undefined && { call }),
    ...(at !== undefined && { at: String(at) }),
    ...(customer !== undefined && { customer }),
  });
  return `${webhookUrl}?${query.toString()}`;
}

export function placeOf(payload: Payload): Place {
  const query = queryOf(payload);
  const named = query.get('step');
  const step = steps.find((one) => one === named);
  const call = query.get('call');
  const at = query.get('at');
  const customer = query.get('customer');
  return {
    ...(step !== undefined && { step }),
    ...(call !== null && { call }),
    ...(at !== null && { at: Number(at) }),
    ...(customer !== null && { customer }),
  };
}
