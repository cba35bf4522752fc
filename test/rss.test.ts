import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { Http, HttpRequest } from '../src/core/connector.ts';
import type { EnvelopeInput } from '../src/core/envelope.ts';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import { rss } from '../src/connectors/rss/rss.ts';
import { readTime } from '../src/connectors/rss/time.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, sealedHttp } from './fakes/context.ts';
import { samplePayload } from './fakes/samples.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';

const URL_ = 'https://blog.example.com/feeds/all.xml';
const SIGNAL = new AbortController().signal;

type Answer = { body: Buffer | string; type?: string; headers?: Record<string, string> } | Error;

/** A channel whose feed answers these, one after the other, the last one for ever. */
async function open(...answers: Answer[]) {
  const asked: HttpRequest[] = [];
  const stream: Http['stream'] = async (request) => {
    asked.push(request);
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
    if (answer instanceof Error) throw answer;
    const headers = { 'content-type': answer.type ?? 'application/rss+xml', ...answer.headers };
    return { headers, body: Readable.from([Buffer.from(answer.body)]) };
  };
  const clock = fakeClock(Date.parse('2026-11-22T10:00:00Z'));
  const context = fakeContext({ clock, http: Object.assign(sealedHttp(), { stream }) });
  const channel = await rss.open(rss.config.parse({ url: URL_ }), context);
  let cursor: string | undefined;
  const poll = async (): Promise<EnvelopeInput[]> => {
    const page = await channel.poll!(cursor, SIGNAL);
    cursor = page.cursor;
    const items = page.items.map(({ body }) => channel.normalize(samplePayload(body)) as EnvelopeInput[]);
    return items.flat();
  };
  return { asked, clock, poll };
}

const item = (inner: string) => `<item>${inner}</item>`;
const feed = (...items: string[]) =>
  `<?xml version="1.0"?><rss version="2.0"><channel><title>T</title>${items.join('')}</channel></rss>`;

async function read(body: Buffer | string, type?: string): Promise<EnvelopeInput[]> {
  return (await open({ body, ...(type && { type }) })).poll();
}

async function only(inner: string): Promise<EnvelopeInput> {
  const [first, ...others] = await read(feed(item(inner)));
  assert.deepEqual(others, []);
  return first!;
}

describe('A feed', () => {
  it('is read as RSS 2.0, the oldest entry first', async () => {
    const items = await read(
      feed(
        item(
          '<title>Two &amp; more</title><guid>b</guid><link>/b</link><pubDate>Sun, 22 Nov 2026 09:00:00 +0200</pubDate>',
        ),
        item(
          '<title>One</title><guid>a</guid><dc:creator>Olena</dc:creator><description><![CDATA[<p>Hi <b>you</b></p>]]></description>',
        ),
      ),
    );
    assert.deepEqual(
      items.map(({ externalId, subject }) => [externalId, subject]),
      [
        ['a', 'One'],
        ['b', 'Two & more'],
      ],
    );
    assert.equal(items[0]!.text, 'Hi you');
    assert.equal(items[0]!.sender.name, 'Olena');
    assert.equal(items[1]!.fields!['url'], 'https://blog.example.com/b');
    assert.equal(items[1]!.occurredAt, Date.parse('2026-11-22T07:00:00Z'));
  });

  it('is read as Atom, with authors, replies and markup in it', async () => {
    const [one] = await read(
      `<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="uk"><title>Коментарі</title><entry><id>tag:1</id><title>Re</title>
       <link rel="self" href="https://x.example.org/self"/><link href="../p/1"/><published>2026-11-22T08:00:00Z</published>
       <author><name>Olena</name><email>o@example.com</email><uri>https://o.example.com/</uri></author>
       <thr:in-reply-to ref="tag:0"/><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">See <a href="/a">this</a><br/>now</div></content></entry></feed>`,
    );
    assert.equal(one!.fields!['url'], 'https://blog.example.com/p/1');
    assert.match(one!.text, /^See this \[https:\/\/blog\.example\.com\/a\]\s+now$/);
    assert.deepEqual(one!.thread, { references: ['tag:0'] });
    assert.deepEqual(
      one!.sender.identifiers.map(({ kind, value, trust }) => `${kind} ${value} ${trust}`),
      ['email o@example.com claimed', 'rss:sample https://o.example.com/ claimed'],
    );
    assert.equal(one!.sender.locale, 'uk');
  });

  it('is read in the charset that it is in, whatever it says', async () => {
    const cyrillic = (encoding: string, bytes: number[]) =>
      Buffer.concat([
        Buffer.from(`<?xml version="1.0" encoding="${encoding}"?><rss><channel><item><title>`),
        Buffer.from(bytes),
        Buffer.from('</title></item></channel></rss>'),
      ]);
    // "Чай"
    const windows = [0xd7, 0xe0, 0xe9];
    const koi = [0xfe, 0xc1, 0xca];
    const cases: [Buffer, string][] = [
      [cyrillic('windows-1251', windows), 'text/xml'],
      [cyrillic('koi8-r', koi), 'text/xml; charset=windows-1251'],
      [cyrillic('utf-8', windows), 'text/xml; charset=windows-1251'],
      [cyrillic('windows-1251', [...Buffer.from('Чай')]), 'text/xml; charset=windows-1251'],
      [Buffer.from(`\ufeff${feed(item('<title>Чай</title>'))}`, 'utf16le'), 'text/xml'],
    ];
    for (const [body, type] of cases) assert.equal((await read(body, type))[0]!.subject, 'Чай', type);
  });

  it('is new only where it has changed, and an edit is a revision that grows', async () => {
    const first = feed(item('<guid>a</guid><title>A</title>'), item('<guid>b</guid><title>B</title>'));
    const edited = first.replace('>A<', '>A, edited<');
    const { poll, clock } = await open({ body: first }, { body: first }, { body: edited }, { body: first });
    assert.equal((await poll()).length, 2);
    assert.deepEqual(await poll(), []);
    const [one] = await poll();
    await clock.advance(60_000);
    const [two] = await poll();
    assert.deepEqual([one!.subject, two!.subject, one!.externalId, two!.externalId], ['A, edited', 'A', 'a', 'a']);
    assert.ok(0 < one!.revision! && one!.revision! < two!.revision!);
  });

  it('is asked whether it has changed at all', async () => {
    const same = new RetryableError('answered 304', { response: { status: 304, text: '' } });
    const body = feed(item('<guid>a</guid><title>A</title>'));
    const headers = { etag: '"1"', 'last-modified': 'Sun, 22 Nov 2026 09:00:00 GMT' };
    const { poll, asked } = await open({ body, headers }, same);
    assert.equal((await poll()).length, 1);
    assert.deepEqual([await poll(), await poll()], [[], []]);
    for (const { headers } of asked.slice(1)) {
      assert.equal(headers!['if-none-match'], '"1"');
      assert.equal(headers!['if-modified-since'], 'Sun, 22 Nov 2026 09:00:00 GMT');
    }
    await assert.rejects(
      (await open(new RetryableError('answered 302', { response: { status: 302, text: '' } }))).poll(),
    );
  });

  it('is followed on its own host only', async () => {
    const { poll, asked } = await open({ body: feed() });
    await poll();
    const { mayFollow } = asked[0] as { mayFollow?: (to: URL) => boolean };
    assert.equal(mayFollow!(new URL('https://blog.example.com/feed/')), true);
    assert.equal(mayFollow!(new URL('https://evil.test/feed/')), false);
  });

  it('gives entries without an id, or with one that all have, an id each', async () => {
    const ids = async (...items: string[]) =>
      (await read(feed(...items.map(item)))).map(({ externalId }) => externalId);
    assert.deepEqual(await ids('<link>https://a.example.com/1</link>'), ['https://a.example.com/1']);
    const same = await ids(
      '<guid>0</guid><title>A</title>',
      '<guid>0</guid><title>B</title>',
      '<title>A</title>',
      '<title>B</title>',
    );
    assert.equal(new Set(same).size, 4);
    assert.ok((await ids(`<guid>${'x'.repeat(600)}</guid>`)).every((id) => id.length <= 512));
  });

  it('has no author that is everybody of the same name', async () => {
    const [a, b] = await read(
      feed(item('<guid>a</guid><author>Anna</author>'), item('<guid>b</guid><author>Anna</author>')),
    );
    assert.notEqual(a!.sender.identifiers[0]!.value, b!.sender.identifiers[0]!.value);
    const { sender } = await only('<guid>c</guid><author>o@example.com (Olena)</author>');
    assert.deepEqual([sender.name, sender.identifiers[0]!.value], ['Olena', 'o@example.com']);
  });

  it('links only to what a browser would open, and its scripts are no text', async () => {
    const one = await only(
      '<guid>a</guid><link>javascript:alert(1)</link><description>&lt;script&gt;alert(1)&lt;/script&gt;&lt;p&gt;Hi&lt;/p&gt;</description>',
    );
    assert.deepEqual([one.text, one.fields], ['Hi', { feed: 'T' }]);
    assert.equal((await only('<guid>b</guid><description>5 &lt; 6</description>')).text, '5 < 6');
  });

  it('from tomorrow has a wrong clock', async () => {
    const at = async (date: string) => (await only(`<guid>a</guid><pubDate>${date}</pubDate>`)).occurredAt;
    const now = Date.parse('2026-11-22T10:00:00Z');
    assert.equal(await at('Sun, 22 Nov 2099 09:00:00 GMT'), now);
    assert.equal(await at('yesterday'), now);
  });
});

describe('A hostile feed', () => {
  it('grows by no entity, and reads no file', async () => {
    const bomb = [
      '<!ENTITY a "ha">',
      ...'bcdefghij'.split('').map((name, nth) => `<!ENTITY ${name} "${`&${'abcdefghi'[nth]!};`.repeat(10)}">`),
    ];
    const body = `<?xml version="1.0"?><!DOCTYPE rss [${bomb.join('')}<!ENTITY f SYSTEM "file:///etc/passwd">]>${feed(item('<guid>a</guid><title>&j; &f; &nbsp;!</title>')).slice(21)}`;
    const [one] = await read(body);
    assert.equal(one!.subject!.replace('\u00a0', ' ').replace(/\s+/g, ' '), '&j; &f; !');
  });

  it('is refused when it is too deep, has too many elements, or is no feed', async () => {
    await assert.rejects(read(feed(item(`${'<b>'.repeat(300)}${'</b>'.repeat(300)}`))), PermanentError);
    await assert.rejects(read(feed('<b/>'.repeat(100_001))), PermanentError);
    for (const page of ['<html><body>Sign in</body></html>', 'Not found', '', '{"version":"1"}']) {
      await assert.rejects(read(page), PermanentError, page);
    }
  });

  it('is read again when it was cut off', async () => {
    const whole = feed(item('<guid>a</guid><title>A long title</title>'));
    await assert.rejects(read(whole.slice(0, -40)), RetryableError);
  });

  it('is read in spite of what is broken in it', async () => {
    const [one] = await read(feed(item('<guid>a</guid><title>Tom & Jerry <3 &bogus;</title>')));
    assert.match(one!.subject!, /^Tom & Jerry/);
  });
});

describe('The time of an entry', () => {
  const times: Record<string, string | undefined> = {
    'Mon, 06 Sep 2021 00:01:00 +0300': '2021-09-05T21:01:00Z',
    '6 Sep 21 00:01 EST': '2021-09-06T05:01:00Z',
    'Пн, 06 сен 2021 10:00:00 MSK': '2021-09-06T07:00:00Z',
    '6 вересня 2021 10:00': '2021-09-06T10:00:00Z',
    'Thu, 6 May 2021 10:00:00 GMT': '2021-05-06T10:00:00Z',
    '6 мая 2021': '2021-05-06T00:00:00Z',
    '2021-09-06T10:00:00+02:00': '2021-09-06T08:00:00Z',
    '2021-09-06 10:00:00': '2021-09-06T10:00:00Z',
    '2021-09-06': '2021-09-06T00:00:00Z',
    '2021-02-31': undefined,
    '06/09/2021': undefined,
    'foo 1': undefined,
    '': undefined,
  };
  for (const [text, time] of Object.entries(times)) {
    it(`written as "${text}" is ${time ?? 'none'}`, () => {
      assert.equal(readTime(text), time === undefined ? undefined : Date.parse(time));
    });
  }
});

describe('A feed, through a whole gateway', () => {
  it('is one ticket an entry, asked with its tag after a restart, and an edit is a revision', async () => {
    let body = feed(item('<guid>a</guid><title>A</title><description>First</description>'));
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      const tag = `"${body.length}"`;
      asked.push(request.headers['if-none-match']);
      response.setHeader('etag', tag);
      if (request.headers['if-none-match'] === tag) response.writeHead(304).end();
      else response.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const whole = await startWhole({ yaml: `  - { id: comments, type: rss, url: "http://127.0.0.1:${port}/feed" }` });
    type Tickets = { data: { id: string; messageCount: number }[] };
    try {
      const tickets = () => whole.api<Tickets>('/tickets');
      await until(async () => (await tickets()).data.length === 1);
      await whole.restart();
      await until(() => asked.length === 2);
      assert.ok(asked[1], 'it was asked without its tag');
      body = body.replace('First', 'First, edited');
      await whole.restart();
      const [ticket] = (await tickets()).data;
      type Messages = { data: { text: string; revision: number }[] };
      const messages = () => whole.api<Messages>(`/tickets/${ticket!.id}/messages`);
      await until(async () => (await messages()).data[0]?.text === 'First, edited');
      assert.equal((await messages()).data.length, 1);
    } finally {
      await whole.close();
      server.close();
    }
  });
});
