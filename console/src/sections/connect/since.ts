import { keptInTab } from '../../kept.ts';

/** Since when something is waited for in this tab (milliseconds since the epoch). */
export function waitingSince(id: string): number | undefined {
  const at = Number(keptInTab.read(nameOf(id)));
  return Number.isFinite(at) && at > 0 ? at : undefined;
}

export function startWaiting(id: string): number {
  const now = Date.now();
  keptInTab.write(nameOf(id), String(now));
  return now;
}

/** It was connected in this tab: whoever has just typed its credentials wants to know whether they are right. */
export function noteConnected(id: string): void {
  startWaiting(id);
  keptInTab.write(`connected ${id}`, 'yes');
}

export function isConnected(id: string): boolean {
  return keptInTab.read(`connected ${id}`) !== undefined;
}

export function stopWaiting(id: string): void {
  keptInTab.remove(nameOf(id));
  keptInTab.remove(`connected ${id}`);
}

function nameOf(id: string): string {
  return `waiting ${id}`;
}
