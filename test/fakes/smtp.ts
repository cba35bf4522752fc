import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

/** A mail as the server got it. */
export interface Delivered {
  readonly from: string;
  readonly to: readonly string[];
  /** Exactly as it came. */
  readonly raw: string;
  readonly helo: string;
}

export interface SmtpSink {
  readonly port: number;
  readonly mails: readonly Delivered[];
  /** How many connections were opened. */
  readonly connections: number;
  close(): Promise<void>;
}

/** A mail server that takes everything, on this machine; `options` say otherwise. `refuse` may throw after the last byte. */
export async function startSink(
  options: SMTPServerOptions & { readonly refuse?: (mail: Delivered) => void } = {},
): Promise<SmtpSink> {
  const mails: Delivered[] = [];
  let connections = 0;
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 100,
    onConnect(_session, done) {
      connections++;
      done();
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', done);
      stream.on('end', () => {
        const mail = {
          from: session.envelope.mailFrom ? session.envelope.mailFrom.address : '',
          to: session.envelope.rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString(),
          helo: String(session.hostNameAppearsAs),
        };
        try {
          options.refuse?.(mail);
        } catch (error) {
          done(error as Error);
          return;
        }
        mails.push(mail);
        done();
      });
    },
    ...options,
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    get connections() {
      return connections;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
      }),
  };
}

/** An answer with a code, as a handler of the server passes it on. */
export function smtpError(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}

/** The headers of a mail, unfolded, names in lower case; repeated ones one per line. */
export function headersOf(raw: string): Map<string, string> {
  const found = new Map<string, string>();
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ');
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const before = found.get(name);
    found.set(name, (before === undefined ? '' : `${before}\n`) + line.slice(colon + 1).trim());
  }
  return found;
}

/** The parts of a multipart mail, also of parts within parts: their headers, and their content decoded. */
export function partsOf(raw: string): { readonly headers: Map<string, string>; readonly content: Buffer }[] {
  const headers = headersOf(raw);
  const body = raw.slice(raw.indexOf('\r\n\r\n') + 4);
  const boundary = /boundary="?([^";]+)"?/.exec(headers.get('content-type') ?? '')?.[1];
  if (boundary === undefined) {
    const encoding = headers.get('content-transfer-encoding') ?? '7bit';
    const text = body.replace(/\r\n$/, '');
    return [{ headers, content: decode(text, encoding) }];
  }
  const inner = body.split(`--${boundary}`).slice(1, -1);
  return inner.flatMap((part) => partsOf(part.replace(/^\r\n/, '')));
}

function decode(text: string, encoding: string): Buffer {
  if (encoding === 'base64') return Buffer.from(text, 'base64');
  if (encoding !== 'quoted-printable') return Buffer.from(text);
  const joined = text.replaceAll(/=\r\n/g, '');
  return Buffer.from(
    joined.replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  );
}

/** Encoded words of a header, read. */
export function decodeWords(value: string): string {
  return value
    .replaceAll(/\?=\s+=\?/g, '?==?')
    .replaceAll(/=\?utf-8\?([BQ])\?([^?]*)\?=/gi, (_, kind: string, text: string) =>
      kind.toUpperCase() === 'B'
        ? Buffer.from(text, 'base64').toString()
        : decode(text.replaceAll('_', ' '), 'quoted-printable').toString(),
    );
}
