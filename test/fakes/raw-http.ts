import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** An answer as it came over the wire. */
export interface RawAnswer {
  /** 0 when the connection ended without one. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether the other side closed the connection in time. */
  readonly closed: boolean;
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  /** A list of values is sent as several headers. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

/** A request as bytes, with Host, Content-Length and `Connection: close` unless they are given. */
export function bytesOf(request: RawRequest): Buffer {
  const body = Buffer.from(request.body ?? '');
  const given = Object.entries(request.headers ?? {}).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, one] as const),
  );
  const has = (name: string) => given.some(([key]) => key.toLowerCase() === name);
  const lines = [`${request.method ?? 'POST'} ${request.path} HTTP/1.1`];
  if (!has('host')) lines.push('Host: localhost');
  if (!has('connection')) lines.push('Connection: close');
  if (!has('content-length') && !has('transfer-encoding') && (body.length > 0 || request.method !== 'GET')) {
    lines.push(`Content-Length: ${body.length}`);
  }
  lines.push(...given.map(([name, value]) => `${name}: ${value}`), '', '');
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), body]);
}

/**
 * Sends bytes over a socket of its own and reads one answer. Past every HTTP client, so that what no client
 * would send can be sent, and nothing repairs or intercepts it. Ends when the other side closes, or when the
 * answer is complete and `waitMs` (200) has passed; gives up after `giveUpMs` (10 s).
 */
export function sendRaw(
  port: number,
  parts: Buffer | string | AsyncIterable<Buffer | string>,
  options: { readonly waitMs?: number; readonly giveUpMs?: number } = {},
): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    let closed = false;
    const end = (): void => {
      clearTimeout(giveUp);
      clearTimeout(wait);
      socket.destroy();
      resolve({ ...parseAnswer(text), closed });
    };
    const giveUp = setTimeout(end, options.giveUpMs ?? 10_000);
    let wait: NodeJS.Timeout | undefined;
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      text += String(chunk);
      if (wait === undefined && isComplete(text)) wait = setTimeout(end, options.waitMs ?? 200);
    });
    // A reset after the answer is the other side's right.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      closed = true;
      end();
    });
    void writeAll(socket, parts);
  });
}

/** Sends one request and reads its answer. */
export function call(port: number, request: RawRequest): Promise<RawAnswer> {
  return sendRaw(port, bytesOf(request));
}

async function writeAll(socket: Socket, parts: Buffer | string | AsyncIterable<Buffer | string>): Promise<void> {
  if (typeof parts === 'string' || Buffer.isBuffer(parts)) return void socket.write(parts, () => undefined);
  for await (const part of parts) {
    if (!socket.writable) return;
    await new Promise<void>((done) => socket.write(part, () => done()));
  }
}

function isComplete(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, end + 2))?.[1];
  return length !== undefined && text.length >= end + 4 + Number(length);
}

/** Reads the first answer; an interim `100 Continue` before it is left out. */
function parseAnswer(text: string): Omit<RawAnswer, 'closed'> {
  if (text.startsWith('HTTP/1.1 100')) return parseAnswer(text.slice(text.indexOf('\r\n\r\n') + 4));
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const body = Buffer.from(end < 0 ? '' : text.slice(end + 4), 'latin1').toString('utf8');
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0), headers, body };
}
