/** One thing that commonly goes wrong: how it came out, and what to do about it. */
export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly text: string;
  readonly remedy?: string | undefined;
}

/** Whatever says how a channel or destination is; see the health of the API. */
export interface EndpointFacts {
  readonly id: string;
  readonly type: string;
  readonly health: {
    readonly state: string;
    readonly problem: string | null;
    readonly lastError: string | null;
    readonly pauseReason: string | null;
    readonly dead: number;
  };
}

export function checkEndpoint(role: 'channel' | 'destination', { id, type, health }: EndpointFacts): Check {
  const evidence = [health.problem, health.pauseReason, health.lastError].find((text) => text !== null);
  const dead = health.dead > 0 ? `, ${health.dead} dead deliveries` : '';
  return {
    name: role,
    state: stateOf(health),
    text: `${id} (${type}): ${health.state}${dead}${evidence ? `: ${evidence}` : ''}`,
    remedy:
      health.state === 'needs_reauth'
        ? 'Enter its credentials again.'
        : 'See the log of the gateway, and `npx tributary deliveries list`.',
  };
}

function stateOf({ state, problem, dead }: EndpointFacts['health']): Check['state'] {
  if (problem !== null || state === 'needs_reauth') return 'failed';
  return dead > 0 || ['degraded', 'paused'].includes(state) ? 'warning' : 'ok';
}
