import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { createRate } from '../src/core/rate.ts';
import { fakeClock } from './fakes/clock.ts';
import { assertRejected, envelopeOf, good, openForm as open, OWN, part, parts, SHOP } from './fakes/form.ts';

const urlencoded = { 'content-type': 'application/x-www-form-urlencoded' };
const own = { origin: OWN, 'sec-fetch-site': 'same-origin' };

describe('Where a form post may come from', () => {
  it('is our own page, an allowed site, or no browser at all', async () => {
    const { json } = await open({ allowedOrigins: [SHOP] });
    const status = async (headers: Record<string, string>) => (await json(good, headers)).status;
    assert.equal(await status({}), 200);
    assert.equal(await status({ origin: OWN }), 200);
    assert.equal(await status({ origin: SHOP }), 200);
    assert.equal(await status({ origin: 'http://localhost:8080', host: 'localhost:8080' }), 200);
    assert.equal(await status({ origin: 'https://alias.example.com', 'sec-fetch-site': 'same-origin' }), 200);
    assert.equal(await status({ origin: 'https://evil.example.com', host: 'desk.example.com' }), 403);
    assert.equal(await status({ origin: `${SHOP}.evil.test` }), 403);
    assert.equal(await status({ origin: 'http://shop.example.com' }), 403);
    assert.equal(await status({ origin: 'null', host: 'desk.example.com' }), 403);
    assert.equal(await status({ 'sec-fetch-site': 'cross-site' }), 403);
  });

  it('lets scripts of allowed sites read the answer, and no others', async () => {
    const { json, webhook, request } = await open({ allowedOrigins: [SHOP] });
    const ask = async (origin: string) =>
      (await webhook.challenge!(request({ method: 'OPTIONS', headers: { origin } })))!;
    const allowed = await ask(SHOP);
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers!['access-control-allow-origin'], SHOP);
    assert.match(allowed.headers!['access-control-allow-headers']!, /content-type, idempotency-key/);
    assert.equal((await ask('https://evil.example.com')).headers!['access-control-allow-origin'], undefined);
    assert.equal((await json(good, { origin: SHOP })).answer.headers!['access-control-allow-origin'], SHOP);
    assert.equal((await json({}, { origin: SHOP })).answer.headers!['access-control-allow-origin'], SHOP);
    assert.equal(
      (await json(good, { origin: 'https://evil.example.com' })).answer.headers!['access-control-allow-origin'],
      undefined,
    );
  });
});

describe('What a form refuses to read', () => {
  it('is any other content type or charset (415)', async () => {
    const { send } = await open();
    const body = Buffer.from(JSON.stringify(good));
    const status = async (type?: string) =>
      (await send({ headers: type ? { 'content-type': type } : {}, body })).status;
    for (const type of [
      undefined,
      'text/plain',
      'application/json;charset=utf-7',
      'application/jsonp',
      'text/plain; application/json',
      'application/xml',
      'application/x-www-form-urlencoded; charset=windows-1251',
    ]) {
      assert.equal(await status(type), 415, type);
    }
    for (const type of ['application/json', 'Application/JSON; charset="UTF-8"'])
      assert.equal(await status(type), 200, type);
  });

  it('is JSON that is broken or ambiguous (400)', async () => {
    const { send } = await open();
    const status = async (body: string | Buffer) =>
      (await send({ headers: { 'content-type': 'application/json' }, body: Buffer.from(body) })).status;
    const fine = JSON.stringify(good).slice(1);
    for (const body of [
      '',
      '[]',
      'null',
      '"x"',
      '{',
      `{"email":"b@example.com",${fine}`,
      `{"a":${'['.repeat(100)}${']'.repeat(100)},${fine}`,
      `{"a":"\\u0000",${fine}`,
    ]) {
      assert.equal(await status(body), 400, body.slice(0, 40));
    }
    assert.equal(
      await status(Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from(`",${fine}`)])),
      400,
    );
    const many = (count: number) => `{${Array.from({ length: count }, (_, i) => `"k${i}":1`).join(',')},${fine}`;
    assert.equal(await status(many(198)), 200);
    assert.equal(await status(many(199)), 413);
    assert.equal(await status(`{"a":"b",${fine}`), 200);
  });

  it('is an urlencoded body that is broken, ambiguous or endless', async () => {
    const { post } = await open();
    const fine = new URLSearchParams(good).toString();
    const status = async (more: string) => (await post(`${fine}&${more}`)).status;
    assert.equal(await status('a[b][c]=1&a[b][d]=2'), 200);
    assert.equal(await status('a=%D0%BF%zz+%&b'), 200);
    for (const more of [
      'a=%00',
      '%00=a',
      'a=%ff',
      'a=\u00e9%ff',
      'email=b%40example.com',
      'e%6dail=b%40example.com',
      'a[]=1&a[]=2',
      '=1',
    ]) {
      assert.equal(await status(more), 400, more);
    }
    assert.equal(await status(`${'n'.repeat(200)}=1`), 200);
    assert.equal(await status(`${'n'.repeat(201)}=1`), 400);
    const many = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=1`).join('&');
    assert.equal(await status(many(198)), 200);
    assert.equal(await status(many(199)), 413);
    assert.equal(await status(many(100_000)), 413);
    assert.equal(await status('&'.repeat(100_000)), 413);
    assert.equal(await status(`a=${'%41'.repeat(400_000)}`), 413);
  });

  it('is a multipart body that is broken, ambiguous or endless', async () => {
    const { multipart, webhook, request } = await open();
    const end = '--b--\r\n';
    const fine = parts(good);
    const status = async (body: string | Buffer, boundary?: string) => (await multipart(body, boundary)).status;
    assert.equal(await status(fine + end), 200);
    assert.equal(await status(fine + end, ''), 400, 'no boundary');
    assert.equal(await status(''), 400, 'empty');
    assert.equal(await status(fine), 400, 'no end');
    assert.equal(await status(fine.slice(0, -20)), 400, 'cut off in a part');
    assert.equal(
      await status(`${fine}--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhalf a fi`),
      400,
      'cut off in a file',
    );
    assert.equal(await status(`${fine}--b\r\nContent-Disposition: form-d`), 400, 'cut off in a header');
    assert.equal(await status(fine + part('name=""', 'x') + end), 400, 'a part without a name');
    assert.equal(await status(fine + part('name="email"', 'b@example.com') + end), 400, 'a name twice');
    assert.equal(
      await status(
        `${fine}--b\r\nContent-Disposition: form-data; name="a"; x="${'y'.repeat(1_000_000)}"\r\n\r\nx\r\n${end}`,
      ),
      400,
      'a header of 1 MB',
    );
    assert.equal(
      await status(
        Buffer.concat([Buffer.from(fine), Buffer.from(part('name="a"', '\xff\xfe'), 'latin1'), Buffer.from(end)]),
      ),
      400,
      'not UTF-8',
    );
    assert.equal(await status(fine + part('name="a"', 'a \ufffd that somebody pasted') + end), 200);
    assert.equal(
      await status(fine + part('name="a[4294967294]"', 'x') + part('name="a[]"', 'y') + end),
      200,
      'brackets mean nothing',
    );
    const many = (count: number, head: (i: number) => string) =>
      Array.from({ length: count }, (_, i) => part(head(i), 'x')).join('');
    assert.equal(await status(fine + many(198, (i) => `name="k${i}"`) + end), 200);
    assert.equal(await status(fine + many(199, (i) => `name="k${i}"`) + end), 413);
    assert.equal(await status(fine + many(10_000, (i) => `name="k${i}"`) + end), 413);
    assert.equal(await status(fine + many(10_000, () => 'name="files"; filename="a"') + end), 413);
    assert.equal(await status(fine + '--b\r\nX: y\r\n\r\nx\r\n'.repeat(10_000) + end), 413, 'parts that are none');
    assert.equal(await status(fine + many(5, () => 'name="files"; filename="a"') + end), 200);
    assert.equal(await status(fine + many(6, () => 'name="files"; filename="a"') + end), 413);
    // Still alive, and the next honest post goes through.
    await webhook.verify(
      request({ headers: { 'content-type': 'multipart/form-data; boundary=b' }, body: Buffer.from(fine + end) }),
    );
  });

  it('is a multipart body that breaks off, without anything left behind that fails later', async () => {
    const { multipart } = await open();
    const stray: unknown[] = [];
    const note = (reason: unknown) => stray.push(reason);
    process.on('unhandledRejection', note);
    const header = '--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n';
    for (const rest of [`\r\nhalf a fi`, `X: ${'y'.repeat(100_000)}\r\n\r\nx\r\n--b--`]) {
      assert.equal((await multipart(`${header}\r\nx\r\n${header}${rest}`)).status, 400);
    }
    await wait(50);
    process.off('unhandledRejection', note);
    assert.deepEqual(stray, []);
  });

  it('is more posts in a minute than one address may send', async () => {
    const { json, clock } = await open({ spam: { perMinute: 3 } });
    const from = async (remoteAddress: string | undefined) => (await json(good, {}, { remoteAddress })).status;
    for (let i = 0; i < 3; i++) assert.equal(await from('203.0.113.7'), 200);
    const refused = await json(good);
    assert.equal(refused.status, 429);
    assert.equal(refused.answer.headers!['retry-after'], '60');
    assert.equal(await from('203.0.113.8'), 200, 'somebody else is not to blame');
    assert.equal(await from('::ffff:203.0.113.7'), 429, 'the same address in other words');
    for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:ff::3']) assert.equal(await from(address), 200);
    assert.equal(await from('2001:db8::4'), 429, 'one subscriber has a whole network');
    assert.equal(await from('2001:db8:0:1::1'), 200);
    await clock.advance(59_999);
    assert.equal(await from('203.0.113.7'), 429);
    await clock.advance(1);
    assert.equal(await from('203.0.113.7'), 200);
    for (let i = 0; i < 3; i++) await from('203.0.113.7');
    assert.equal(await from('203.0.113.7'), 429);
    clock.jump(-3_600_000);
    assert.equal(await from('203.0.113.7'), 200, 'a clock set back locks nobody out');
  });
});

describe('The count of posts', () => {
  it('takes no more memory than for ten thousand addresses', () => {
    const rate = createRate(1, fakeClock());
    assert.equal(rate.allows('203.0.113.7'), true);
    assert.equal(rate.allows('203.0.113.7'), false);
    for (let i = 0; i < 10_000; i++) rate.allows(`10.0.${i >> 8}.${i & 255}`);
    assert.equal(rate.allows('203.0.113.7'), true, 'the one seen longest ago is forgotten');
    assert.equal(rate.allows('10.0.39.15'), false, 'the latest are known');
  });
});

describe('What a form takes for spam', () => {
  it('is what fills in the field that nobody sees', async () => {
    const { post, json } = await open();
    assertRejected(await post({ ...good, website_url: 'https://x.test' }), /hidden field/);
    envelopeOf(await post({ ...good, website_url: '' }));
    envelopeOf(await json({ ...good, website_url: 'https://x.test' }));
  });

  it('is what is sent faster than anybody types', async () => {
    const { post, token, clock } = await open({ spam: { minSeconds: 3 } });
    const made = await token();
    await clock.advance(2999);
    assertRejected(await post({ ...good, _token: made }, own), /3\.0 s after|minSeconds: 3/);
    await clock.advance(1);
    envelopeOf(await post({ ...good, _token: made }, own));
    clock.jump(-3_600_000);
    assertRejected(await post({ ...good, _token: made }, own), /after the page was made/);
    const any = await open({ spam: { minSeconds: 0 } });
    envelopeOf(await any.post({ ...good, _token: await any.token() }, own));
  });

  it('is what claims to come from our page and does not', async () => {
    const { post, json, token, clock } = await open({ allowedOrigins: [SHOP] });
    const made = await token();
    await clock.advance(5000);
    assertRejected(await post(good, own), /no page token/);
    assertRejected(await post({ ...good, _token: 'x' }, own), /not ours/);
    assertRejected(await post({ ...good, _token: 'x' }), /not ours/);
    assertRejected(
      await post({ ...good, _token: made.replace(/^./, (c) => (c === 'm' ? 'l' : 'm')) }, own),
      /not ours/,
    );
    assertRejected(
      await post({ ...good, _token: `${made.slice(0, -1)}${made.endsWith('A') ? 'B' : 'A'}` }, own),
      /not ours/,
    );
    const foreign = await open({}, () => Buffer.alloc(32, 7));
    assertRejected(await post({ ...good, _token: await foreign.token() }, own), /not ours/);
    envelopeOf(await post({ ...good, _token: made }, own));
    envelopeOf(await post(good, { origin: SHOP }));
    envelopeOf(await post(good));
    envelopeOf(await json(good, own));
  });

  it('accepts pages that another process handed out, or this one before it was started again', async () => {
    const [before, after] = [await open(), await open()];
    const made = await before.token();
    await after.clock.advance(5000);
    envelopeOf(await after.post({ ...good, _token: made }, own));
  });

  it('is too many links', async () => {
    const { json } = await open({ spam: { maxLinks: 2 } });
    const links = (count: number) => ({
      ...good,
      message: 'see https://x.test '.repeat(count),
      page: 'https://shop.example.com/',
    });
    envelopeOf(await json(links(2)));
    assertRejected(await json(links(3)), /3 links/);
    assertRejected(await json({ ...links(2), name: 'WWW.x.test' }), /3 links/);
  });

  it('is a blocked word, whole and in any capitals', async () => {
    const { json } = await open({ spam: { blockedWords: ['Казино', 'act now', 'ass'] } });
    assertRejected(await json({ ...good, message: 'Найкраще КАЗИНО!' }), /Казино/);
    assertRejected(await json({ ...good, name: 'Act,  NOW' }), /act now/);
    envelopeOf(await json({ ...good, message: 'Classic: казиновий стіл, act. Nowhere' }));
  });

  it('is thanked like everything else', async () => {
    const { post } = await open({ thanks: 'Merci' });
    const spam = await post({ ...good, website_url: 'x' });
    assert.equal(spam.status, 200);
    assert.match(spam.page, /Merci/);
  });
});

describe('Which form posts are one message', () => {
  it('is what was sent twice from one page', async () => {
    const { post, multipart, token, clock } = await open();
    const made = await token();
    await clock.advance(5000);
    const first = envelopeOf(await post({ ...good, _token: made }, own));
    await clock.advance(700);
    assert.equal(envelopeOf(await post({ ...good, _token: made }, own)).externalId, first.externalId);
    const other = envelopeOf(await post({ ...good, message: 'And one more thing', _token: made }, own));
    assert.notEqual(other.externalId, first.externalId, 'a second thought from the same page is kept');
    const next = await token();
    await clock.advance(5000);
    assert.notEqual(
      envelopeOf(await post({ ...good, _token: next }, own)).externalId,
      first.externalId,
      'another page is another message',
    );
    const file = (bytes: string) =>
      `${parts({ ...good, _token: made })}--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n${bytes}\r\n--b--`;
    const [a, b, again] = [await multipart(file('1')), await multipart(file('2')), await multipart(file('1'))].map(
      (sent) => envelopeOf(sent).externalId,
    );
    assert.notEqual(a, b, 'another file is another message');
    assert.equal(a, again);
  });

  it('is what a program sends again under the same key', async () => {
    const { json, clock } = await open();
    const keyed = async (body: object, key: string) =>
      envelopeOf(await json(body, { 'idempotency-key': key })).externalId;
    const first = await keyed(good, 'k1');
    const named = envelopeOf(await json({ ...good, id: '17' })).externalId;
    await clock.advance(60_000);
    assert.equal(await keyed(good, 'k1'), first);
    assert.notEqual(await keyed(good, 'k2'), first);
    assert.notEqual(await keyed({ ...good, message: 'other' }, 'k1'), first, 'a guessed key hides nothing');
    const again = envelopeOf(await json({ ...good, id: '17' }));
    assert.equal(again.externalId, named);
    assert.equal(again.fields.id, undefined);
    assert.notEqual(envelopeOf(await json({ ...good, id: '18' })).externalId, named);
  });

  it('is not what somebody wrote twice on purpose', async () => {
    const { post, clock } = await open();
    const first = envelopeOf(await post({ ...good, message: 'да' })).externalId;
    await clock.advance(5000);
    assert.notEqual(envelopeOf(await post({ ...good, message: 'да' })).externalId, first);
  });

  it('reads a post the same way years later', async () => {
    const { channel, request, clock } = await open();
    const post = request({ headers: urlencoded, body: Buffer.from(new URLSearchParams(good).toString()) });
    const first = await channel.normalize(post);
    await clock.advance(1e11);
    assert.deepEqual(await channel.normalize(post), first);
  });
});
