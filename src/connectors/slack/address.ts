/** Where something was said: a conversation, and in it perhaps a thread, named by the `ts` of its first message. */
export interface Place {
  readonly channel: string;
  readonly threadTs?: string;
}

/** `C123` or `C123:1700000000.000100`: the thread's external id. */
export function threadOf({ channel, threadTs }: Place): string {
  return threadTs === undefined ? channel : messageOf(channel, threadTs);
}

/** `C123:1700000000.000100`: the message's external id. Its `ts` is unique in its conversation only. */
export function messageOf(channel: string, ts: string): string {
  return `${channel}:${ts}`;
}

/** The place that a thread's external id names, or undefined when it is none of ours. */
export function readThread(thread: string): Place | undefined {
  const [, channel, threadTs] = /^([A-Z][A-Z0-9]{1,40})(?::(\d{1,10}\.\d{1,6}))?$/.exec(thread) ?? [];
  if (channel === undefined) return undefined;
  return { channel, ...(threadTs !== undefined && { threadTs }) };
}

/** Microseconds since the epoch, which a `ts` counts; it has at most ten digits before the dot and six behind it. */
export function microsOf(ts: string): number {
  const [seconds = '', fraction = ''] = ts.split('.');
  return Number(seconds) * 1_000_000 + Number(fraction.padEnd(6, '0'));
}

/** Milliseconds since the epoch. */
export function timeOf(ts: string): number {
  return Math.floor(microsOf(ts) / 1000);
}

export function tsOf(ms: number): string {
  return `${Math.max(0, Math.floor(ms / 1000))}.${String(Math.max(0, ms) % 1000).padStart(3, '0')}000`;
}
