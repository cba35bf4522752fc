import assert from 'node:assert/strict';
import type { Http, HttpRequest } from '../src/core/connector.ts';
import type { Task } from '../src/core/rows.ts';
import type { Store, Transaction } from '../src/core/store.ts';
import type { Announcer, Ending } from '../src/dispatch/settled.ts';
import { openSpeech, type Speech } from '../src/dispatch/speech.ts';
import { askForTranscript, createTranscribe } from '../src/dispatch/transcribe.ts';
import { fakeClock } from './fakes/clock.ts';

const RECORDING = { id: 'RE1', name: 'recording.mp3', mediaType: 'audio/mpeg', sha256: 'a', size: 10 };
const task = { messageId: 'msg_1', attachmentId: 'att_1' } as Task;

describe('A task that writes a call down', () => {
  const open = (speech: Speech | undefined, added: unknown[] = []) => {
    const store = {
      read: { attachment: async () => RECORDING, message: async () => ({ call: { recording: 'RE1' } }) },
      blobs: { read: async () => Buffer.from('sound') },
      write: async () => true,
    } as unknown as Store;
    const limits = { maxMinutes: 10, maxMinutesPerDay: 100 };
    const add = async (_id: string, words: unknown) => void added.push(words);
    return createTranscribe({ store, clock: fakeClock(), speech, limits, add });
  };

  it('waits while two others hold their recordings in memory', async () => {
    const heard: ((text: string) => void)[] = [];
    const added: unknown[] = [];
    const carryOut = open({ transcribe: () => new Promise((resolve) => heard.push(resolve)) }, added);
    const running = [carryOut(task), carryOut(task)];
    const third = await carryOut(task);
    assert.deepEqual(Object.keys(third), ['later']);
    while (heard.length < 2) await new Promise(setImmediate);
    for (const resolve of heard) resolve('Hello.');
    await Promise.all(running);
    assert.deepEqual(added, [{ transcript: 'Hello.' }, { transcript: 'Hello.' }]);
    const fourth = carryOut(task);
    while (heard.length < 3) await new Promise(setImmediate);
    heard[2]?.('');
    assert.deepEqual(await fourth, { request: 'recording.mp3', response: 'nobody says anything' });
  });

  it('has nothing to do any more when they are switched off', async () => {
    assert.deepEqual(await open(undefined)(task), { request: 'transcripts are switched off' });
  });

  it('is there for the recording of the call, and for no other file of it', async () => {
    const asked = async (recording: string, ending: Partial<Task> & { state?: string } = {}) => {
      const tasks: unknown[] = [];
      const tx = {
        attachment: async () => RECORDING,
        message: async () => ({ call: { recording } }),
      } as unknown as Transaction;
      const announcer = { task: async (row: unknown) => void tasks.push(row) } as unknown as Announcer;
      const { state = 'delivered', ...about } = ending;
      await askForTranscript(tx, announcer, { task: { ...task, kind: 'download', ...about }, state } as Ending);
      return tasks.length;
    };
    assert.equal(await asked('RE1'), 1);
    assert.equal(await asked('RE2'), 0);
    assert.equal(await asked('RE1', { state: 'dead' }), 0);
    assert.equal(await asked('RE1', { kind: 'reply' }), 0);
  });

  it('gives the model the time that the operator has set', async () => {
    const sent: HttpRequest[] = [];
    const http = {
      send: async (request: HttpRequest) => {
        sent.push(request);
        return { json: { text: ' Hello. ' } };
      },
    } as unknown as Http;
    const speech = openSpeech({ url: 'https://ai.example.com/v1', model: 'whisper-1', timeoutMs: 123_000 }, http);
    assert.equal(await speech.transcribe({ ...RECORDING, bytes: Buffer.from('sound') }), 'Hello.');
    assert.deepEqual(
      sent.map(({ timeoutMs, url }) => [timeoutMs, url]),
      [[123_000, 'https://ai.example.com/v1/audio/transcriptions']],
    );
  });
});
