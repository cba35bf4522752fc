import { once } from 'node:events';
import { io } from 'socket.io-client';
import { until } from '../test/fakes/until.ts';
import { percentile, runLoad } from './load.ts';
import { healthOf, shareOfCore, type Section } from './report.ts';
import { createRequests, textOf } from './requests.ts';
import { KEY, startGateway, type Options } from './servers.ts';

const RATE = 200;
const CONNECTIONS = 10;

/** P4: from the moment a message is sent to the moment an open console hears of it. */
export async function p4(options: Options): Promise<Section> {
  const gateway = await startGateway(options, { name: 'gateway', data: 'p4' });
  const socket = io(`http://127.0.0.1:${gateway.port}/console`, { transports: ['websocket'], auth: { token: KEY } });
  options.atEnd(async () => {
    socket.close();
  });
  await once(socket as unknown as NodeJS.EventEmitter, 'connect', { signal: AbortSignal.timeout(10_000) });
  const heard = new Map<string, number>();
  socket.on('change', (change: { type: string; data: { message?: { text: string } } }) => {
    const { message } = change.data;
    if (change.type === 'message.received' && message) heard.set(firstSentence(message.text), performance.now());
  });
  const seconds = options.seconds * 2;
  const requests = Array.from({ length: RATE * seconds }, createRequests());
  const sent: number[] = [];
  const { failed, generatorCpu } = await runLoad({
    ports: [gateway.port],
    connections: CONNECTIONS,
    seconds,
    rate: RATE,
    next() {
      const request = requests[sent.length];
      if (request) sent.push(performance.now());
      return request;
    },
  });
  if (failed > 0) throw new Error(`${failed} requests were not answered with 2xx`);
  await until(() => heard.size >= sent.length, 'the console hears of all of them');
  const times = Float64Array.from(sent.map((at, index) => (heard.get(textOf(index + 1)) ?? NaN) - at)).sort();
  return {
    text:
      `${healthOf(gateway)}; ${times.length} messages, ${(sent.length / seconds).toFixed(0)} a second, generator and console together ` +
      `${shareOfCore(generatorCpu, seconds)}. From before a message is written to the socket until the console’s socket has it; what a browser needs to draw it comes on top.`,
    goals: [
      { what: 'P4: arrival to console, p50', value: percentile(times, 0.5), unit: ' ms', wanted: ['at most', 10] },
      { what: 'P4: arrival to console, p99', value: percentile(times, 0.99), unit: ' ms', wanted: ['at most', 100] },
    ],
  };
}

const firstSentence = (text: string): string => text.slice(0, text.indexOf('?') + 1);
