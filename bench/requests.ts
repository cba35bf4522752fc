import { signStandardWebhook } from '../src/core/signature.ts';

export const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

/** What the message of the `n`th request says before everything else. */
export const textOf = (n: number): string => `Де моє замовлення ${n}?`;

/**
 * Signed requests of about 1.5 KB, numbered from 1, each its own message: every twentieth one opens a new conversation.
 * Nothing in them is random. One source for each channel of a store, or the messages are duplicates.
 */
export function createRequests(channel = 'intake'): () => Buffer {
  let n = 0;
  return () => {
    n++;
    const body = JSON.stringify({
      id: `m-${n}`,
      thread: `t-${n % 20 === 0 ? n : n % 1000}`,
      from: {
        id: `u-${n % 1000}`,
        name: 'Олена Коваль',
        email: `customer${n % 1000}@example.com`,
        phone: `+38067${String(1_000_000 + (n % 1000))}`,
      },
      subject: 'Замовлення 4512',
      text: `${textOf(n)} Доброго дня! `.repeat(18),
      occurredAt: '2026-11-22T10:00:00Z',
      fields: { order: String(n), page: 'https://shop.example.com/orders' },
    });
    const timestampSec = Math.floor(Date.now() / 1000);
    const signed = signStandardWebhook([SECRET], { id: `msg_${n}`, timestampSec, body });
    const headers = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`);
    return Buffer.from(
      `POST /webhooks/${channel} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n${headers.join('')}\r\n${body}`,
    );
  };
}
