import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { PermanentError, RetryableError, TributaryError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { startReceiver } from './fakes/receiver.ts';
import type { Receiver } from './fakes/receiver.ts';

describe('a download that is redirected', () => {
  let far: Receiver;
  let storage: Receiver;
  let egress: Egress;
  before(async () => {
    far = await startReceiver();
    storage = await startReceiver();
    egress = createHttp({ allow: [] });
  });
  beforeEach(() => {
    storage.requests.length = 0;
    storage.behave({ status: 200, body: 'bytes' });
  });
  after(async () => {
    egress.close();
    await far.close();
    await storage.close();
  });

  async function download(to: string, mayFollow?: (to: URL) => boolean): Promise<string> {
    far.behave({ status: 307, headers: { location: to } });
    const http = egress.for({ hosts: [far.host, storage.host] });
    const headers = { authorization: 'Bearer t0ps3cret', cookie: 'a=t0ps3cret' };
    const { body } = await http.stream({ url: far.origin, headers, maxBytes: 9, ...(mayFollow && { mayFollow }) });
    return (await buffer(body)).toString();
  }

  it('follows where the caller allows it, and leaves its headers behind', async () => {
    assert.equal(await download(`${storage.origin}/file?signed=1`, ({ host }) => host === storage.host), 'bytes');
    const [request] = storage.requests;
    assert.deepEqual([request?.method, request?.url], ['GET', '/file?signed=1']);
    assert.deepEqual([request?.headers.authorization, request?.headers.cookie], [undefined, undefined]);
  });

  it('follows nowhere else', async () => {
    await assert.rejects(
      download(`${storage.origin}/file`, () => false),
      RetryableError,
    );
    await assert.rejects(download(`${storage.origin}/file`), RetryableError);
    assert.deepEqual(storage.requests, []);
  });

  it('follows once', async () => {
    storage.behave({ status: 302, headers: { location: `${storage.origin}/again` } });
    await assert.rejects(
      download(`${storage.origin}/file`, () => true),
      RetryableError,
    );
    assert.equal(storage.requests.length, 1);
  });

  it('speaks of the file and of where it lies when that refuses, and not of the endpoint', async () => {
    for (const status of [401, 403, 410]) {
      storage.behave({ status, body: 'expired: t0ps1gned' });
      await assert.rejects(
        download(`${storage.origin}/file?Signature=t0ps1gned`, () => true),
        (error) => {
          assert.ok(error instanceof PermanentError && !error.gone, String(status));
          assert.equal(error.message, `GET ${storage.origin}/file answered ${status}`);
          assert.deepEqual(error.response, { status, text: 'expired: [secret]' });
          return true;
        },
      );
    }
    far.behave({ status: 410 });
    const http = egress.for({ hosts: [far.host] });
    await assert.rejects(
      http.stream({ url: far.origin, maxBytes: 9, mayFollow: () => true }),
      (error) => error instanceof PermanentError && error.gone,
    );
  });

  it('is tried again when where the file lies fails', async () => {
    storage.behave({ status: 503 });
    await assert.rejects(
      download(`${storage.origin}/file`, () => true),
      (error) =>
        error instanceof TributaryError && error.message.includes(storage.host) && error.name === 'RetryableError',
    );
  });

  it('comes past the guard all the same, and has no more bytes than were asked for', async () => {
    for (const to of [
      'http://169.254.169.254/',
      'http://10.0.0.1/',
      'http://[::1]/',
      'ftp://127.0.0.1/',
      'file:///x',
    ]) {
      await assert.rejects(
        download(to, () => true),
        PermanentError,
        to,
      );
    }
    storage.behave({ status: 200, body: 'more than nine bytes' });
    await assert.rejects(
      download(`${storage.origin}/file`, () => true),
      PermanentError,
    );
  });
});
