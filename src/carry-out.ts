import type { Config } from './config-types.ts';
import type { Connector, Http } from './core/connector.ts';
import type { Transaction } from './core/store.ts';
import { createDeliver, createNotify, createUpdate, type DeliverDeps } from './dispatch/deliver.ts';
import { createDownload, openAttachment } from './dispatch/files.ts';
import { createProfile } from './dispatch/profile.ts';
import { createReply } from './dispatch/reply.ts';
import { openSpeech } from './dispatch/speech.ts';
import { createTranscribe } from './dispatch/transcribe.ts';
import { createAnnouncer, type AnnounceDeps } from './normalizer/announce.ts';
import { addToCall } from './normalizer/add-to-call.ts';
import { cleanLine, cleanText } from './normalizer/canonical.ts';
import { settleEarly } from './normalizer/early.ts';
import { replaceOthers } from './normalizer/replaced.ts';
import { createHangUp } from './normalizer/hang-up.ts';
import { ticketProof, type ThreadPolicy } from './normalizer/thread.ts';
import type { WorkerDeps } from './queue/worker.ts';

/** What the worker does for each kind of task. */
export function createCarryOut(
  given: Omit<DeliverDeps, 'openAttachment'> & {
    readonly connectors: readonly Connector[];
    readonly announcing: AnnounceDeps & Pick<Parameters<typeof createHangUp>[0], 'announced'>;
    readonly policy: ThreadPolicy;
    readonly proofKey: Buffer;
    readonly transcripts: Config['transcripts'];
    /** The way out to a host that the operator named. */
    readonly outTo: (host: string) => Http;
  },
): WorkerDeps['carryOut'] {
  const { connectors, announcing, policy, proofKey, store, clock, transcripts } = given;
  const calls = { ...announcing, store, policy, proofKey };
  const deps = { ...given, openAttachment: (id: string) => openAttachment(store, id) };
  const announcerOf = (tx: Transaction) => createAnnouncer(tx, announcing);
  return {
    notify: createNotify(deps),
    deliver: createDeliver(deps),
    update: createUpdate(deps),
    reply: createReply({
      ...deps,
      proofOf: (number) => ticketProof(proofKey, number),
      isIdempotent: (type) => connectors.find((each) => each.type === type)?.capabilities.idempotent ?? false,
      settleEarly: (tx, endpointId, externalId) =>
        settleEarly(tx, announcerOf(tx), { endpointId, receivedAt: clock.now() }, externalId),
      replaceOthers: (tx, messageId) => replaceOthers(tx, announcerOf(tx), messageId, { receivedAt: clock.now() }),
    }),
    download: createDownload(deps),
    hang_up: createHangUp(calls),
    transcribe: createTranscribe({
      store,
      clock,
      speech: transcripts && openSpeech(transcripts, given.outTo(transcripts.host)),
      limits: transcripts ?? { maxMinutes: 0, maxMinutesPerDay: 0 },
      async add(messageId, { transcript, summary, ...rest }) {
        const words = {
          ...(transcript && { transcript: cleanText(transcript) }),
          ...(summary && { summary: cleanText(summary) }),
        };
        await addToCall(calls, messageId, () => ({ ...rest, ...words }));
      },
    }),
    profile: createProfile({ ...deps, cleanName: cleanLine, announce: (tx) => announcerOf(tx).change }),
  };
}
