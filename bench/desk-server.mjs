// A help desk on loopback: reads what it gets, answers 200, counts it, and tells when it has seen a text.
import { createServer } from 'node:http';
import { serveUsage } from './usage.mjs';

let received = 0;
let bytes = 0;
let wanted;

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    const { pathname, searchParams } = new URL(request.url, 'http://desk');
    if (pathname === '/count') response.end(JSON.stringify({ received, bytes }));
    else wanted = { text: searchParams.get('text'), seen: () => response.end() };
    return;
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    received++;
    bytes += body.length;
    response.end('{}');
    if (!wanted || !body.includes(wanted.text)) return;
    wanted.seen();
    wanted = undefined;
  });
});
server.listen(0, '127.0.0.1', () => serveUsage({ port: server.address().port }));
