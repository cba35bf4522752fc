import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export const SPEECH_KEY = 'sk-fake-0123456789abcdefghijklmnop';

export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
/** A status with a body; `hang`: never an answer. */
export type Said = { readonly status?: number; readonly body: unknown; readonly headers?: object } | 'hang';

/** An endpoint that speaks as OpenAI's audio and chat API: scripted answers first, then good ones. */
export interface FakeSpeech {
  /** Up to the version. */
  readonly url: string;
  readonly asked: Asked[];
  /** Answers of the next requests to a path, in order. */
  readonly next: Record<'audio' | 'chat', Said[]>;
  text: string;
  /** What the chat model writes. */
  content: string;
  close(): Promise<void>;
}

export async function startSpeech(): Promise<FakeSpeech> {
  const server = createServer((request, response) => {
    void buffer(request).then((bytes) => {
      const path = request.url ?? '';
      fake.asked.push({ path, headers: request.headers, body: bytes.toString('latin1') });
      const kind = path === '/v1/audio/transcriptions' ? 'audio' : 'chat';
      const good = kind === 'audio' ? { text: fake.text } : { choices: [{ message: { content: fake.content } }] };
      const said = fake.next[kind].shift() ?? { body: good };
      if (said === 'hang') return;
      const body = typeof said.body === 'string' ? said.body : JSON.stringify(said.body);
      response.writeHead(said.status ?? 200, { 'content-type': 'application/json', ...said.headers }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fake: FakeSpeech = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked: [],
    next: { audio: [], chat: [] },
    text: 'I would like to move my appointment to Friday.',
    content: JSON.stringify({ summary: 'She moves her appointment to Friday.', mood: 'neutral' }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}
