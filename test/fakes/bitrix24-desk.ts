import assert from 'node:assert/strict';
import { bitrix24 } from '../../src/dispatch/bitrix24/bitrix24.ts';
import type { Bitrix24Description } from './bitrix24-description.ts';
import { APPLICATION_TOKEN, CODE, GATEWAY, startBitrix24 } from './bitrix24.ts';
import type { FakeBitrix24 } from './bitrix24.ts';
import { openDestinationDesk, type DestinationDesk } from './destination-desk.ts';

/** The way out to a stand-in for Bitrix24, as the destination `crm`. */
export interface Bitrix24Desk extends DestinationDesk {
  readonly far: FakeBitrix24;
  /** The first deal's number, and the comments of one. */
  dealId(): number;
  said(id?: number): string[];
  calls(method: string): number;
}

export async function openBitrix24Desk(description: Bitrix24Description | undefined): Promise<Bitrix24Desk> {
  const far = await startBitrix24(description);
  const settings = { apiRoot: far.root, userId: GATEWAY, code: CODE, applicationToken: APPLICATION_TOKEN };
  const desk = await openDestinationDesk(bitrix24, 'crm', settings);
  far.now = () => desk.out.clock.now();
  const dealId = () => Number(far.items.deal[0]!['id']);
  const { close } = desk;
  return Object.assign(desk, {
    far,
    dealId,
    said: (id = dealId()) => far.comments('deal', id),
    calls: (method: string) => far.calls.filter((call) => call.method === method).length,
    /** Nothing may have been sent that Bitrix24 doesn't describe. */
    async close() {
      await close();
      await far.close();
      assert.deepEqual(far.violations, []);
    },
  });
}
