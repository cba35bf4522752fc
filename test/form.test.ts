import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { Script } from 'node:vm';
import type { z } from 'zod';
import { FormConfig } from '../src/connectors/form/config.ts';
import { Item } from '../src/core/envelope.ts';
import type { Envelope } from '../src/core/envelope.ts';
import { envelopeOf, good, openForm as open, OWN, parts, SHOP } from './fakes/form.ts';

const settings = (fields: object[]) => ({ fields }) as z.input<typeof FormConfig>;

describe('The form page', () => {
  it("is in the visitor's language, and in English for others", async () => {
    const { get } = await open();
    const language = async (accept: string) =>
      /<html lang="(..)">/.exec(String((await get(undefined, { 'accept-language': accept })).body))![1];
    assert.equal(await language('uk-UA,uk;q=0.9,en;q=0.8'), 'uk');
    assert.equal(await language('de,en;q=0.2,ru;q=0.9'), 'ru');
    assert.equal(await language('de-DE'), 'en');
    assert.equal(await language(`${'x'.repeat(5000)},;;q=`), 'en');
    const fixed = await open({ language: 'uk' });
    assert.match(String((await fixed.get(undefined, { 'accept-language': 'en' })).body), /Надіслати/);
  });

  it('keeps where the visitor came from, without what stands behind question marks', async () => {
    const { get, post, token, clock } = await open();
    const query = new URLSearchParams({ page: `${SHOP}/p?session=1`, utm_source: 'ad', utm_evil: '"><b>', other: 'x' });
    const page = String((await get(`/forms/contact?${query.toString()}`, { referer: `${SHOP}/?q=1` })).body);
    assert.match(page, /name="page" value="https:\/\/shop.example.com\/p"/);
    assert.match(page, /name="referrer" value="https:\/\/shop.example.com\/"/);
    assert.match(page, /name="utm_source" value="ad"/);
    assert.ok(!page.includes('"><b>') && !page.includes('name="other"'));
    assert.ok(!String((await get('/forms/contact?page=javascript:alert(1)')).body).includes('javascript:'));

    const made = await token();
    await clock.advance(5000);
    const sent = await post(
      { ...good, _token: made, page: `${SHOP}/p`, utm_source: 'ad' },
      { 'user-agent': 'Firefox' },
    );
    assert.deepEqual(
      { ...envelopeOf(sent).fields },
      { page: `${SHOP}/p`, utm_source: 'ad', ip: '203.0.113.7', userAgent: 'Firefox' },
    );
  });

  it('may be framed and run scripts only as its policy says', async () => {
    const policy = async (config: z.input<typeof FormConfig>) =>
      (await (await open(config)).get()).headers!['content-security-policy']!;
    assert.match(await policy({}), /frame-ancestors 'self'; /);
    assert.match(await policy({ allowedOrigins: [SHOP] }), /frame-ancestors 'self' https:\/\/shop\.example\.com; /);
    assert.match(
      await policy({}),
      /default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; form-action 'self'; /,
    );
    assert.match(
      await policy({ redirectTo: `${SHOP}/thanks?a=1` }),
      /form-action 'self' https:\/\/shop\.example\.com; /,
    );
    const { headers } = await (await open()).get();
    assert.equal(headers!['x-content-type-options'], 'nosniff');
    assert.equal(headers!['cache-control'], 'no-store');
    assert.equal(headers!['referrer-policy'], 'same-origin');
  });

  it('escapes what the operator wrote', async () => {
    const { get } = await open({
      title: '</title><script>x()</script>',
      fields: [{ name: 'a', type: 'select', label: '<i>', options: ['"<b>'] }],
    });
    const page = String((await get()).body);
    assert.ok(!page.includes('<script>x()') && !page.includes('<i>') && !page.includes('"<b>'));
    const script = String((await get('/forms/contact/embed.js')).body);
    assert.ok(!script.includes('</title>'));
    assert.doesNotThrow(() => new Script(script), 'the script for other sites can be read');
  });

  it('ties each error to its field and keeps what was typed', async () => {
    const { post, get } = await open();
    assert.ok(!String((await get()).body).includes('aria-invalid="'), 'an untouched form has no errors');
    const { status, page } = await post({ name: 'Олена', email: 'olena', message: '' }, { 'accept-language': 'uk' });
    assert.equal(status, 422);
    assert.match(page, /<title>Помилка: /);
    assert.match(page, /name="email" aria-describedby="e-email" aria-invalid="true"/);
    assert.match(page, /<p class="error" id="e-email">Напишіть адресу пошти/);
    assert.match(page, /name="message" required aria-describedby="e-message" aria-invalid="true"/);
    assert.match(page, /<a href="#f-message">Повідомлення<\/a>/);
    assert.match(page, /value="Олена"/);
  });

  it('never reflects markup that somebody sent', async () => {
    const corpus = [
      '<script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      "'`><svg/onload=alert(1)>",
      '</textarea><math><style><img src onerror=alert(1)>',
      '</title></style></noscript></template></xmp><iframe srcdoc=x>',
      '{{7*7}}${7*7}<!--',
    ];
    const { post } = await open({
      fields: [
        { name: 'message', type: 'textarea' },
        { name: 'email', type: 'email' },
        { name: 'other', required: true },
      ],
    });
    for (const evil of corpus) {
      const sent = await post(
        {
          message: evil,
          email: evil,
          [evil]: evil,
          page: evil,
          utm_source: evil,
          _token: evil,
          _lang: evil,
          website_url: evil,
        },
        { referer: evil, 'accept-language': evil, 'user-agent': evil },
      );
      assert.equal(sent.status, 422);
      assert.ok(!sent.page.includes(evil), evil);
      const own = sent.page.replace(/<(style|script)>[^]*?<\/\1>/g, '').match(/<[a-z][^>]*/g)!;
      const bare = own.map((tag) => tag.replace(/"[^"]*"/g, ''));
      assert.ok(!bare.some((tag) => /^<(img|svg|iframe|math|script)|\son\w+=/.test(tag)), own.join('\n'));
    }
  });

  it('lets a correction go through although the page was only just answered', async () => {
    const { post, token, clock } = await open();
    const made = await token();
    await clock.advance(10_000);
    const { page } = await post({ email: good.email, _token: made }, { origin: OWN });
    assert.ok(page.includes(made), 'the same page');
    await clock.advance(500);
    envelopeOf(await post({ ...good, _token: made }, { origin: OWN }));
    assert.ok(!(await post({ _token: 'forged' })).page.includes('forged'), 'a token of somebody else is not handed on');
  });

  it('is still there, with what was typed, when nothing can be stored', async () => {
    const { webhook, request } = await open();
    const post = request({
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from('email=a%40example.com&message=hello'),
    });
    await webhook.verify(post);
    const answer = webhook.refuse!(post, Object.assign(new Error('disk full at /var'), { status: 503 }))!;
    assert.equal(answer.status, 503);
    assert.equal(answer.headers!['retry-after'], '60');
    assert.match(String(answer.body), />hello</);
    assert.ok(!String(answer.body).includes('disk'), 'what failed inside is nobody’s business');
  });
});

describe('What a form takes', () => {
  it('thanks a person with a page and a program with JSON', async () => {
    const { post, json } = await open();
    const page = await post(good, { accept: 'text/html,*/*' });
    assert.match(page.page, /1042/);
    assert.match(page.answer.headers!['content-type']!, /^text\/html/);
    const program = await json(good);
    assert.deepEqual(JSON.parse(program.page), { ok: true, ticket: 1042 });
    assert.equal((await post(good, { accept: 'application/json' })).page, program.page);
    const away = await (await open({ redirectTo: `${SHOP}/thanks` })).post(good);
    assert.equal(away.status, 303);
    assert.equal(away.answer.headers!.location, `${SHOP}/thanks`);
  });

  it('leads to where the request can be followed, in a tab of its own, if this message has opened it', async () => {
    const statusUrl = `${OWN}/status/tkt_1.x"y`;
    const { post, json } = await open({}, undefined, { statusUrl });
    const { page } = await post(good);
    assert.match(
      page,
      /<a href="https:\/\/desk\.example\.com\/status\/tkt_1\.x&quot;y" target="_blank" rel="noopener">/,
    );
    assert.deepEqual(JSON.parse((await json(good)).page), { ok: true, ticket: 1042, statusUrl });
    assert.doesNotMatch((await (await open()).post(good)).page, /\/status\/|_blank/);
  });

  it('reads files of multipart posts, and gives their bytes again later', async () => {
    const { channel, multipart, request } = await open();
    const file = (name: string, body: string) =>
      `--b\r\nContent-Disposition: form-data; name="files"; filename=${name}\r\nContent-Type: Text/Plain\r\n\r\n${body}\r\n`;
    const body = `${parts(good)}${file('"../../etc/cron.d/x"', 'one')}${file('unquoted.txt', '')}${file('"C:\\\\a\u202egpj.exe"', '\ufffd')}--b--\r\n`;
    const sent = await multipart(body);
    const { attachments } = envelopeOf(sent);
    assert.deepEqual(
      attachments.map(({ id, name, size, mediaType }) => [id, name, size, mediaType]),
      [
        ['f0', 'x', 3, 'text/plain'],
        ['f1', 'unquoted.txt', 0, 'text/plain'],
        ['f2', 'agpj.exe', 3, 'text/plain'],
      ],
    );
    const payload = request({
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: Buffer.from(body),
    });
    assert.equal(await text(await channel.download!(attachments[0]!, payload)), 'one');
    await assert.rejects(channel.download!({ ...attachments[0]!, id: 'f9' }, payload), /no file f9/);
  });

  it('reads files of JSON posts', async () => {
    const { channel, json, request } = await open({ maxFiles: 1 });
    const file = { name: 'a.bin', content: Buffer.from([0, 1, 255]).toString('base64') };
    const { attachments } = envelopeOf(await json({ ...good, attachments: [file] }));
    assert.deepEqual([attachments[0]!.mediaType, attachments[0]!.size], ['application/octet-stream', 3]);
    const payload = request({
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify({ files: file })),
    });
    const bytes = await channel.download!(attachments[0]!, payload);
    assert.deepEqual(await bytes.toArray(), [Buffer.from([0, 1, 255])]);
    assert.equal((await json({ ...good, files: [file, file] })).status, 413);
    assert.equal((await json({ ...good, files: 'not a file' })).status, 400);
    assert.equal((await json({ ...good, files: { name: 'a', content: '%%%' } })).status, 400);
  });

  it('takes a file of exactly the limit and none above it', async () => {
    const { multipart, json, webhook } = await open({ maxFileBytes: 2048, maxFiles: 2 });
    const upload = (size: number) =>
      `${parts(good)}--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n${'x'.repeat(size)}\r\n--b--`;
    assert.equal(envelopeOf(await multipart(upload(2048))).attachments[0]!.size, 2048);
    assert.equal((await multipart(upload(2049))).status, 413);
    const content = Buffer.alloc(2049).toString('base64');
    assert.equal((await json({ ...good, files: { name: 'a', content } })).status, 413);
    assert.equal(webhook.maxBytes, 2 * 2048 + 256 * 1024);
    const without = await open({ fields: [{ name: 'message', type: 'textarea' }] });
    assert.equal((await without.multipart(upload(1))).status, 413, 'a form without a file field takes no files');
  });

  it('stays readable when the operator lowers a limit afterwards', async () => {
    const body = `${parts(good)}--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nx\r\n--b--`;
    const later = await open({ maxFiles: 0 });
    const payload = later.request({
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: Buffer.from(body),
    });
    const [item] = await later.channel.normalize(payload);
    assert.equal((Item.parse(item) as Envelope).attachments.length, 1);
  });

  it('asks for what its fields need, in words of the visitor', async () => {
    const { json } = await open(
      settings([
        { name: 'phone', type: 'phone' },
        { name: 'topic', type: 'select', options: ['a', 'b'] },
        { name: 'agree', type: 'checkbox', required: true },
        { name: 'note', maxLength: 5 },
        { name: 'files', type: 'file', required: true },
      ]),
    );
    const { status, page, answer } = await json({
      phone: '12',
      topic: 'c',
      agree: false,
      note: '123456',
      'a/b~c': 'x'.repeat(10_001),
    });
    assert.equal(status, 422);
    assert.equal(answer.headers!['content-type'], 'application/problem+json');
    const problem = JSON.parse(page) as { code: string; errors: { pointer: string }[] };
    assert.equal(problem.code, 'invalid');
    assert.deepEqual(
      problem.errors.map((one) => one.pointer),
      ['/phone', '/topic', '/agree', '/files', '/note', '/a~1b~0c'],
    );
    const file = { name: 'a', content: '' };
    const fine = await json({ phone: '(044) 123-45-67', topic: 'a', agree: true, note: '12345', files: file });
    assert.equal(envelopeOf(fine).fields.agree, 'yes');
  });

  it('wants an e-mail or a phone, so that somebody can answer', async () => {
    const { json } = await open();
    assert.deepEqual(JSON.parse((await json({ message: 'hi' })).page).errors[0].pointer, '/email');
    envelopeOf(await json({ message: 'hi', phone: '+380671234567' }));
    envelopeOf(await json({ message: 'hi', email: 'пошта@приклад.test' }));
    for (const email of ['a', 'a@b', '@b.test', 'a@b..test', 'a b@c.test', 'a@b.test, c@d.test']) {
      assert.equal((await json({ message: 'hi', email })).status, 422, email);
    }
  });

  it('believes nothing that was typed', async () => {
    const { json } = await open();
    const envelope = envelopeOf(
      await json({ ...good, phone: '+380671234567', ip: '8.8.8.8', userAgent: 'me' }, { 'user-agent': 'curl' }),
    );
    assert.deepEqual(
      envelope.sender.identifiers.map((one) => one.trust),
      ['claimed', 'claimed'],
    );
    assert.equal(envelope.fields.ip, '203.0.113.7');
    assert.equal(envelope.fields.userAgent, 'curl');
  });

  it('files keys that reach into prototypes as nothing at all', async () => {
    const { post, send } = await open();
    const evil = { ...good, __proto__x: '1', constructor: '2', prototype: '3', toString: '4', 'a[__proto__]': '5' };
    const sent = await post(`${new URLSearchParams(evil).toString()}&__proto__=6`);
    assert.deepEqual(Object.keys(envelopeOf(sent).fields).sort(), ['__proto__x', 'a[__proto__]', 'ip', 'toString']);
    const json = await send({
      headers: { 'content-type': 'application/json' },
      body: Buffer.from('{"__proto__":{"polluted":1},"email":"a@example.com","message":"hi","toString":"x"}'),
    });
    assert.equal(envelopeOf(json).fields.toString, 'x');
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  it('refuses settings that can not work', () => {
    const bad: object[] = [
      { unknown: 1 },
      { fields: [{ name: 'ip' }] },
      { fields: [{ name: 'utm_source' }] },
      { fields: [{ name: 'website_url' }] },
      { fields: [{ name: 'a' }, { name: 'a' }] },
      { fields: [{ name: 'a', type: 'select' }] },
      { fields: [{ name: 'a', options: ['x'] }] },
      { fields: [{ name: 'a', maxLength: 5000 }] },
      { allowedOrigins: ['https://shop.example.com/'] },
      { allowedOrigins: ['*'] },
      { allowedOrigins: ['javascript:alert(1)'] },
      { redirectTo: 'http://shop.example.com/' },
    ];
    for (const config of bad) assert.equal(FormConfig.safeParse(config).success, false, JSON.stringify(config));
    assert.equal(FormConfig.safeParse({}).success, true);
    assert.equal(
      FormConfig.safeParse({
        fields: [{ name: 'a', maxLength: 1000 }],
        allowedOrigins: ['http://localhost:3000'],
        redirectTo: SHOP,
      }).success,
      true,
    );
  });
});
