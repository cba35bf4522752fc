import assert from 'node:assert/strict';
import { amocrm } from '../../src/dispatch/amocrm/amocrm.ts';
import { CONTACT_FIELD, ID_FIELD, PIPELINE, startAmocrm, TOKEN } from './amocrm.ts';
import type { FakeAmocrm } from './amocrm.ts';
import { openDestinationDesk, type DestinationDesk } from './destination-desk.ts';

export const STATUSES = { open: 31_881_112, pending: 31_881_115, solved: [142, 143] };

/** The way out to a stand-in for amoCRM, as the destination `crm`. */
export interface AmocrmDesk extends DestinationDesk {
  readonly far: FakeAmocrm;
  /** The first lead's number, and the feed of one. */
  leadId(): number;
  said(id?: number): string[];
  /** How often it was called so. */
  calls(method: string, path: RegExp): number;
  /** What comes of a promise while time goes on. */
  during<T>(promise: Promise<T>): Promise<T>;
}

export async function openAmocrmDesk(): Promise<AmocrmDesk> {
  const far = await startAmocrm();
  const settings = {
    apiRoot: far.root,
    accessToken: TOKEN,
    idField: ID_FIELD,
    contactIdField: CONTACT_FIELD,
    pipelineId: PIPELINE,
    statuses: STATUSES,
  };
  const desk = await openDestinationDesk(amocrm, 'crm', settings);
  far.now = () => desk.out.clock.now();
  const leadId = () => far.leads[0]!.id;
  const { close } = desk;
  return Object.assign(desk, {
    far,
    leadId,
    said: (id = leadId()) => far.said(id),
    calls: (method: string, path: RegExp) =>
      far.calls.filter((call) => call.method === method && path.test(call.path)).length,
    async during<T>(promise: Promise<T>): Promise<T> {
      let isOver = false;
      const over = promise.finally(() => (isOver = true));
      over.catch(() => undefined);
      while (!isOver) await desk.out.pass(200, 100);
      return over;
    },
    /** Nothing may have been sent that its pages don't name. */
    async close() {
      await close();
      await far.close();
      assert.deepEqual(far.violations, []);
    },
  });
}
