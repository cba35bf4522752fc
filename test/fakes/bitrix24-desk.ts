import assert from 'node:assert/strict';
import type { Destination } from '../../src/core/destination.ts';
import { bitrix24 } from '../../src/dispatch/bitrix24/bitrix24.ts';
import { createHttp } from '../../src/http/http.ts';
import type { Bitrix24Description } from './bitrix24-description.ts';
import { APPLICATION_TOKEN, CODE, GATEWAY, startBitrix24 } from './bitrix24.ts';
import type { FakeBitrix24 } from './bitrix24.ts';
import { fakeContext } from './context.ts';
import { message } from './filing.ts';
import { openOutgoing, type Outgoing } from './outgoing.ts';

/** The way out to a stand-in for Bitrix24, as the destination `crm`. */
export interface Bitrix24Desk {
  readonly far: FakeBitrix24;
  readonly out: Outgoing;
  readonly destination: Destination;
  /** One with other settings. */
  open(given?: object): Destination;
  /** The same, for all that follows. */
  use(given: object): void;
  /** A customer writes; resolves with his ticket. */
  write(text: string, from?: string | string[]): Promise<string>;
  /** Lets time pass until so many deliveries are done. */
  settled(count: number): Promise<void>;
  /** The first deal's number, and the comments of one. */
  dealId(): number;
  said(id?: number): string[];
  calls(method: string): number;
  /** Nothing may have been sent that Bitrix24 doesn't describe. */
  close(): Promise<void>;
}

export async function openBitrix24Desk(description: Bitrix24Description | undefined): Promise<Bitrix24Desk> {
  const far = await startBitrix24(description);
  const out = await openOutgoing([{ id: 'crm', carries: 'tickets' }]);
  const egress = createHttp({ allow: ['127.0.0.1'] });
  far.now = () => out.clock.now();
  out.addChannel('chat', { reply: async () => undefined });
  const delivered = async () => (await out.deliveries()).filter(({ state }) => state === 'delivered').length;

  function open(given: object = {}): Destination {
    const settings = { apiRoot: far.root, userId: GATEWAY, code: CODE, applicationToken: APPLICATION_TOKEN, ...given };
    const context = fakeContext({ id: 'crm', clock: out.clock, http: egress.for({ hosts: [] }) });
    return bitrix24.open(bitrix24.config.parse(settings), context) as Destination;
  }
  let destination = open();
  const desk: Bitrix24Desk = {
    far,
    out,
    get destination() {
      return destination;
    },
    open,
    use(given) {
      destination = open(given);
      out.addDestination('crm', destination);
    },
    write: async (text, from = 'telegram|1') => (await out.file(message(from, { text })))[0]!.ticketId!,
    async settled(count) {
      for (let i = 0; i < 100 && (await delivered()) < count; i++) await out.pass(100);
      assert.equal(await delivered(), count);
    },
    dealId: () => Number(far.items.deal[0]!['id']),
    said: (id = desk.dealId()) => far.comments('deal', id),
    calls: (method) => far.calls.filter((call) => call.method === method).length,
    async close() {
      await out.close();
      egress.close();
      await far.close();
      assert.deepEqual(far.violations, []);
    },
  };
  desk.use({});
  return desk;
}
