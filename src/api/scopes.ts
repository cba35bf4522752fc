/** What a key may be allowed to do. `*` is everything, an empty list nothing. */
export const scopes = [
  'tickets:read',
  'tickets:write',
  'customers:read',
  'customers:write',
  'customers:export',
  'events:read',
  'events:write',
  'deliveries:read',
  'deliveries:write',
  'endpoints:read',
  'endpoints:write',
  'changes:read',
  'users:write',
  'keys:write',
  'audit:read',
  'reports:read',
  'doctor:read',
  'metrics:read',
  '*',
] as const;
export type Scope = (typeof scopes)[number];

/** What people may do, by their role. */
export const roleScopes: Readonly<Record<'admin' | 'agent', readonly Scope[]>> = {
  admin: ['*'],
  agent: [
    'tickets:read',
    'tickets:write',
    'customers:read',
    'customers:write',
    'events:read',
    'deliveries:read',
    'endpoints:read',
    'changes:read',
    'reports:read',
  ],
};

/** Whether `held` allows `wanted`. A stored scope that is unknown today allows nothing. */
export function allows(held: readonly string[], wanted: string): boolean {
  return held.includes('*') || held.includes(wanted);
}

/** Whether `held` allows all of `wanted`: nobody hands out, or takes away, more than he has. */
export function covers(held: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((scope) => allows(held, scope));
}
