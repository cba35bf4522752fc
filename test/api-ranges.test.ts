import assert from 'node:assert/strict';
import { startApi } from './fakes/api.ts';
import type { StartedApi } from './fakes/api.ts';
import { saveBlob } from './fakes/gateway.ts';

const BYTES = Buffer.from('ID3 a recording of ten seconds');
const { length: SIZE } = BYTES;

describe('A part of a file, as a player asks for it', () => {
  let api: StartedApi;
  beforeEach(async () => {
    api = await startApi();
    store(BYTES);
  });
  afterEach(() => api.stop());

  function store(bytes: Buffer): void {
    const sha256 = saveBlob(api.gateway.state, bytes);
    const facts = {
      id: 'a',
      rowId: 'att_1',
      messageId: 'msg_1',
      name: 'recording.mp3',
      mediaType: 'audio/mpeg',
      endpointId: null,
    };
    api.gateway.state.attachments.set('att_1', { ...facts, state: 'stored', payloadId: null, sha256 });
  }
  const get = (range?: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') =>
    api.send(method, '/api/v1/attachments/att_1', { headers: { ...(range !== undefined && { range }), ...headers } });

  it('is what lies between its first and its last byte, and says so', async () => {
    const parts: readonly [string, number, number][] = [
      ['bytes=0-0', 0, 0],
      ['bytes=4-9', 4, 9],
      ['BYTES=4-9', 4, 9],
      ['bytes= 4-9', 4, 9],
      ['bytes=4-', 4, SIZE - 1],
      ['bytes=0-', 0, SIZE - 1],
      ['bytes=-5', SIZE - 5, SIZE - 1],
      ['bytes=-1000', 0, SIZE - 1],
      [`bytes=${SIZE - 1}-${SIZE + 10}`, SIZE - 1, SIZE - 1],
      [`bytes=2-${'9'.repeat(400)}`, 2, SIZE - 1],
    ];
    for (const [range, first, last] of parts) {
      const { status, headers, text } = await get(range);
      assert.equal(status, 206, range);
      assert.equal(text, BYTES.toString('latin1', first, last + 1), range);
      assert.equal(headers['content-range'], `bytes ${first}-${last}/${SIZE}`);
      assert.equal(headers['content-length'], String(last - first + 1));
      assert.equal(headers['content-type'], 'audio/mpeg', 'told by its beginning, whatever part is asked for');
      assert.match(headers['content-disposition']!, /^attachment;/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['content-security-policy'], "sandbox; default-src 'none'");
    }
  });

  it('is refused where it lies behind the end', async () => {
    for (const range of [`bytes=${SIZE}-`, `bytes=${SIZE}-${SIZE}`, 'bytes=-0', `bytes=${'9'.repeat(400)}-`]) {
      const { status, headers, json } = await get(range);
      assert.deepEqual([status, json.code], [416, 'range_not_satisfiable'], range);
      assert.equal(headers['content-range'], `bytes */${SIZE}`);
    }
    store(Buffer.alloc(0));
    assert.equal((await get('bytes=0-')).status, 416, 'of an empty file');
    assert.deepEqual([(await get('bytes=-5')).status, (await get()).text], [200, '']);
  });

  it('is all of it where none, several or no bytes are asked for', async () => {
    const many = Array.from({ length: 1000 }, (_, index) => `${index}-${index}`).join(',');
    const others = [
      'bytes=-',
      'bytes=',
      'bytes=9-4',
      'bytes=a-b',
      'bytes=1-2,4-5',
      'bytes=0x1-2',
      'bytes=-1-2',
      'bytes=--2',
    ];
    const hostile = ['lines=1-2', 'bytes 0-1', 'bytes=1.5-2', `bytes=${many}`, 'none', ''];
    for (const range of [...others, ...hostile, undefined]) {
      const { status, headers, text } = await get(range);
      assert.deepEqual([status, text], [200, BYTES.toString()], range);
      assert.equal(headers['content-range'], undefined);
      assert.equal(headers['accept-ranges'], 'bytes');
      assert.equal(headers['content-length'], String(SIZE));
    }
  });

  it('is all of it once the file is another one', async () => {
    const { headers } = await get();
    const etag = headers.etag!;
    assert.match(etag, /^"[0-9a-f]{32}"$/);
    assert.equal((await get('bytes=4-9', { 'if-range': etag })).status, 206);
    for (const ifRange of ['"another"', `W/${etag}`, 'Sun, 22 Nov 2026 09:00:00 GMT', etag.slice(1, -1), '*']) {
      const { status, text } = await get('bytes=4-9', { 'if-range': ifRange });
      assert.deepEqual([status, text], [200, BYTES.toString()], ifRange);
    }
    assert.equal((await get(`bytes=${SIZE}-`, { 'if-range': '"another"' })).status, 200);
    assert.equal((await get('bytes=4-9', { 'if-none-match': etag })).status, 304, 'the browser has it already');
    store(Buffer.from('ID3 another recording'));
    assert.equal((await get('bytes=4-9', { 'if-range': etag })).status, 200);
    assert.equal((await get(undefined, { 'if-none-match': etag })).status, 200);
  });

  it('is told of without its bytes to who asks for the head, whatever part he names', async () => {
    const { status, headers, text } = await get('bytes=4-9', {}, 'HEAD');
    assert.deepEqual([status, text], [200, '']);
    assert.equal(headers['content-length'], String(SIZE));
    assert.equal(headers['accept-ranges'], 'bytes');
    assert.equal(headers['content-type'], 'audio/mpeg');
  });

  it('is for those only who may read tickets', async () => {
    const key = await api.key('tickets:write');
    for (const range of ['bytes=0-1', `bytes=${SIZE}-`]) {
      const asked = (given: string | null) =>
        api.send('GET', '/api/v1/attachments/att_1', { key: given, headers: { range } });
      assert.deepEqual([(await asked(key)).status, (await asked(null)).status], [403, 401]);
    }
  });

  it('stands in the description of the API', async () => {
    const { json } = await api.send('GET', '/openapi.json', { key: null });
    const { parameters, responses } = json.paths['/api/v1/attachments/{id}'].get;
    const names = parameters.map(({ name }: { name: string }) => name);
    assert.deepEqual(names, ['id', 'Range', 'If-Range']);
    assert.deepEqual(Object.keys(responses), ['200', '206', 'default']);
    assert.ok(responses['206'].headers['Content-Range']);
  });
});
