import { defineConnector } from '../../core/connector.ts';
import type { CallBack } from '../../core/connector.ts';
import { PermanentError, TributaryError, UncertainError } from '../../core/errors.ts';
import { toItems } from './items.ts';
import { isSuccess, openLine, wordsOf } from './line.ts';
import type { LineDeps } from './line.ts';
import { recordsSince } from './records.ts';
import { Settings } from './settings.ts';
import { createStream, listChannels } from './stream.ts';

/** How long it rings at the agent's, and how long a try of the credentials may take, milliseconds. */
const RING_MS = 30_000;
const TEST_MS = 60_000;

export const asterisk = defineConnector({
  type: 'asterisk',
  title: 'Asterisk',
  summary: 'Follows the calls of an Asterisk (FreePBX, Issabel, VitalPBX …) by its manager interface.',
  docs: 'channels/asterisk.md',
  stability: 'alpha',
  capabilities: {
    receive: ['stream'],
    reply: false,
    idempotent: false,
    attachments: { in: false, out: false },
    callBack: true,
    localhost: true,
    threads: 'person',
    proven: ['real payloads', 'prose'],
  },
  config: Settings,
  open(settings, context) {
    const deps: LineDeps = { settings, context };
    const { records, dialContext } = settings;
    return {
      normalize: (payload) => toItems(payload, settings),
      stream: createStream(deps),
      ...(records && { reconcile: (since, signal) => recordsSince(records, context, since, signal) }),
      ...(dialContext && { callBack: (wish, signal) => callBack(deps, dialContext, wish, signal) }),
      test: () => test(deps),
    };
  },
});

/** Rings at the agent's by the dialplan, then dials for him. https://docs.asterisk.org/Latest_API/API_Documentation/AMI_Actions/Originate/ */
async function callBack(
  deps: LineDeps,
  context: string,
  { id, to, agent }: CallBack,
  signal: AbortSignal,
): Promise<{ externalId?: string }> {
  if (!/^[A-Za-z0-9_.+*-]{1,80}$/.test(agent)) {
    throw new PermanentError('the agent is no extension', { hint: 'Give the number that rings at his phone: 101.' });
  }
  if (!/^\+?\d{3,20}$/.test(to)) throw new PermanentError('the number to call is none that can be dialled');
  const line = await openLine(deps, 'off', signal);
  try {
    const answer = await line
      .ask('Originate', {
        Channel: `Local/${agent}@${context}`,
        Context: context,
        Exten: to,
        Priority: '1',
        CallerID: to,
        Timeout: String(RING_MS),
        Account: id.slice(0, 20),
        Async: 'true',
      })
      .catch((error: unknown) => {
        const cause = error instanceof TributaryError ? error.message : 'the connection broke';
        throw new UncertainError(`nobody knows whether it rings: ${cause}`, { cause: error });
      });
    if (isSuccess(answer)) return {};
    throw new PermanentError(`Asterisk does not make this call: ${wordsOf(deps, answer)}`, {
      hint: 'manager.conf: the user needs write = originate; dialContext must know the extension.',
    });
  } finally {
    line.hangUp();
  }
}

/** Signs in and counts the channels. */
async function test(deps: LineDeps): Promise<string> {
  const line = await openLine(deps, 'off', AbortSignal.timeout(TEST_MS));
  try {
    const list = await listChannels(deps, line, () => undefined);
    const { records, user } = deps.settings;
    const gaps = records ? '' : '; no `records`: what happens while we are not connected is lost';
    return `${line.banner} lets ${user} in; channels now: ${list.length}${gaps}`;
  } finally {
    line.hangUp();
  }
}
