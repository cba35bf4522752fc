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

/** Minutes and seconds, with hours only where there are any: `00:42`, `1:00:07`. */
export function clockOf(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, '0'));
  const hours = Math.floor(seconds / 3600);
  return [...(hours > 0 ? [String(hours)] : []), ...parts].join(':');
}

/** Whether an address is known to this machine only. */
export function isOfThisMachine(address: string): boolean {
  const { hostname } = new URL(address);
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}
