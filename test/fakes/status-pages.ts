import type { StatusPages } from '../../src/core/status-page.ts';

const KEY = Buffer.alloc(32, 3);

/** An installation at an address, with pages where customers see how their requests are doing. */
export function placeOf(publicUrl = 'https://desk.example.com'): {
  readonly publicUrl: string;
  readonly statusPages: StatusPages;
} {
  return { publicUrl, statusPages: { key: KEY, publicUrl, shows: ['assignee', 'team'], closedForMs: 90 * 86_400_000 } };
}
