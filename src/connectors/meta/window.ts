import type { CanReply } from '../../core/connector.ts';

const HOUR = 60 * 60_000;
/** How long after the customer's last message anything may be written to him. */
const WINDOW_MS = 24 * HOUR;
/** How long a person, and no machine, may: https://developers.facebook.com/documentation/business-messaging/messenger-platform/policy/ */
const HUMAN_MS = 7 * 24 * HOUR;

/** What says whether agents may answer for seven days: Meta gives an app that feature on request. */
export interface Window {
  readonly humanAgent: boolean;
  readonly now: () => number;
}

export function canReply({ humanAgent, now }: Window, lastInboundAt = 0): CanReply {
  const until = lastInboundAt + (humanAgent ? HUMAN_MS : WINDOW_MS);
  if (now() < until) return { allowed: true, until };
  const reason = humanAgent
    ? 'more than 7 days have passed since the customer wrote'
    : 'more than 24 hours have passed since the customer wrote';
  return { allowed: false, reason: `${reason}: Meta lets nothing through until he writes again` };
}

/** Whether an answer needs the tag that says that a person gives it. */
export function needsTag({ humanAgent, now }: Window, lastInboundAt: number): boolean {
  return humanAgent && now() >= lastInboundAt + WINDOW_MS;
}
