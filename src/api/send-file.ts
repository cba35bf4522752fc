import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import type { File } from './operation.ts';
import { ApiError } from './problem.ts';
import { rangeOf } from './range.ts';

/** Answers with a file, or with the part of it that is asked for: players of recordings begin in the middle. */
export async function sendFile(response: Response, { size, etag, headers, open }: File): Promise<void> {
  const request = response.req;
  response.set({ etag, 'accept-ranges': 'bytes', ...headers });
  if (request.fresh) return void response.status(304).end();
  const range = request.method === 'GET' ? rangeOf(request.headers, { size, etag }) : undefined;
  if (range === 'none') {
    const behind = { 'content-range': `bytes */${size}` };
    throw new ApiError(416, 'range_not_satisfiable', `The file has ${size} bytes.`, { headers: behind });
  }
  if (range) response.status(206).set('content-range', `bytes ${range.start}-${range.end}/${size}`);
  response.set('content-length', String(range ? range.end - range.start + 1 : size));
  if (request.method === 'HEAD') return void response.end();
  await pipeline(await open(range), response);
}
