import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { runInNewContext } from 'node:vm';
import type { Channel, Http, HttpRequest } from '../src/core/connector.ts';
import type { Attachment, EnvelopeInput, ItemInput } from '../src/core/envelope.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import { presetNames, presets } from '../src/connectors/webhook/presets/index.ts';
import { webhook } from '../src/connectors/webhook/webhook.ts';
import { fakeContext, sealedHttp } from './fakes/context.ts';
import { samplePayload } from './fakes/samples.ts';
import { skipUnless } from './skip.ts';
import { startWhole } from './fakes/whole.ts';

const SECRET = '5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const SHARED = new URL('../../shared/fixtures/forms/', import.meta.url);

function open(settings: object, http: Http = sealedHttp()): Channel {
  return webhook.open(
    webhook.config.parse({ auth: { secret: SECRET }, ...settings }),
    fakeContext({ http }),
  ) as Channel;
}

function problemOf(settings: object): string {
  const { success, error } = webhook.config.safeParse(settings);
  assert.equal(success, false, 'the settings were accepted');
  return error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n');
}

async function read(settings: object, body: unknown, headers: Record<string, string> = {}): Promise<ItemInput[]> {
  return open(settings).normalize(samplePayload(body, headers));
}

/** The only item, as a form. */
async function form(settings: object, body: unknown, headers: Record<string, string> = {}): Promise<EnvelopeInput> {
  const [item, ...others] = await read(settings, body, headers);
  assert.deepEqual(others, []);
  assert.ok(item?.kind === 'form', JSON.stringify(item));
  return item;
}

const claimsOf = ({ sender }: EnvelopeInput) =>
  sender.identifiers.map(({ kind, value, trust }) => [kind, value, trust]);

/** A mapping with these roles, over an object of question → answer. */
const asking = (roles: object = {}) => ({
  auth: { type: 'bearer', token: SECRET },
  mapping: { kind: { value: 'form' }, answers: { roles } },
});

describe('A preset of a form builder', () => {
  it('is data: nothing in it runs', () => {
    for (const preset of Object.values(presets)) assert.deepEqual(JSON.parse(JSON.stringify(preset)), preset);
  });

  for (const name of presetNames) {
    it(`needs a secret and nothing else: ${name}`, () => {
      const channel = open({ preset: name });
      assert.equal(channel.webhook!.token?.reveal(), presets[name].auth.type === 'token' ? SECRET : undefined);
      assert.match(problemOf({ preset: name }), /auth/);
      assert.match(problemOf({ preset: name, auth: {} }), /secret/);
      assert.match(problemOf({ preset: name, auth: { secret: 'short' } }), /shorter than 16/);
    });

    it(`refuses what isn't signed with it: ${name}`, async () => {
      if (presets[name].auth.type === 'token') return;
      await assert.rejects(async () => open({ preset: name }).webhook!.verify(samplePayload('{}')), BadPayloadError);
    });

    it(`is on the page of the forms: ${name}`, () => {
      const page = readFileSync(new URL('../docs/channels/forms.md', import.meta.url), 'utf8');
      assert.ok(page.includes(`| \`${name}\``) && page.includes(presets[name].title));
    });
  }

  it('has an address that holds its secret, where the vendor signs nothing', () => {
    assert.match(
      problemOf({ preset: 'tilda', auth: { secret: 'slashes/and spaces here' } }),
      /auth\.secret.*22 to 200/,
    );
    assert.match(problemOf({ preset: 'tilda', auth: { secret: 'sixteen-letters-' } }), /auth\.secret.*22 to 200/);
    assert.match(problemOf({ auth: { type: 'token', token: 'slashes/and spaces here' } }), /auth\.token.*22 to 200/);
    open({ preset: 'typeform', auth: { secret: 'a secret of any/letters' } });
  });

  it('shows no secret, and hides it where it was written', () => {
    for (const preset of ['tilda', 'typeform']) {
      const config = webhook.config.parse({ preset, auth: { secret: SECRET } });
      assert.equal(JSON.stringify(config.auth), '{"secret":"[secret]"}');
    }
  });

  it('gives way to what is said besides', async () => {
    const settings = { preset: 'tilda', mapping: { subject: { value: 'Landing' } }, identity: { email: 'observed' } };
    const item = await form(settings, 'Email=o%40example.com&tranid=1&formname=Order', FORM);
    assert.equal(item.subject, 'Landing');
    assert.deepEqual(claimsOf(item), [['email', 'o@example.com', 'observed']]);
    assert.equal(item.externalId, '1');
    const key = { type: 'api_key', header: 'X-Key', key: SECRET };
    const channel = open({ preset: 'tilda', auth: key });
    assert.equal(channel.webhook!.token, undefined);
    await assert.rejects(async () => channel.webhook!.verify(samplePayload('test=test', FORM)), BadPayloadError);
    await channel.webhook!.verify(samplePayload('test=test', { ...FORM, 'x-key': SECRET }));
  });

  it('is named where an auth has no type, and a mapping without it says who wrote', () => {
    assert.match(problemOf({ auth: { secret: SECRET } }), /auth\.type.*preset/);
    const auth = { type: 'bearer', token: SECRET };
    assert.match(problemOf({ auth, mapping: { text: '/text' } }), /mapping\.from/);
    assert.match(problemOf({ auth, preset: 'wufoo' }), /preset/);
  });
});

describe('A form', () => {
  it('keeps every answer, whatever was asked', async () => {
    const item = await form(
      { preset: 'tilda' },
      'tranid=1&Размер=M&%D0%A6%D0%B2%D0%B5%D1%82=red&utm_source=ad&Email=o@example.com',
      FORM,
    );
    assert.deepEqual(item.fields, { Размер: 'M', Цвет: 'red', utm_source: 'ad' });
    assert.equal(item.text, 'Размер: M\nЦвет: red\nEmail: o@example.com');
  });

  it('finds who it is under the names that people use', async () => {
    for (const [email, phone, name] of [
      ['E-mail *', 'Phone number:', 'Your Name'],
      ['Электронная почта', 'Номер телефона', 'Как вас зовут?'],
      ['ЕЛЕКТРОННА ПОШТА', 'телефон', "Ваше ім'я"],
    ] as const) {
      const body = new URLSearchParams({ [name]: 'Olena', [email]: 'o@example.com', [phone]: '+380671234567' });
      const item = await form({ preset: 'elementor' }, body.toString(), FORM);
      assert.equal(item.sender.name, 'Olena');
      assert.deepEqual(claimsOf(item), [
        ['email', 'o@example.com', 'claimed'],
        ['phone', '+380671234567', 'claimed'],
      ]);
    }
  });

  it('takes the only address in it as his, and none of two', async () => {
    const settings = asking();
    assert.deepEqual(claimsOf(await form(settings, { contact: 'o@example.com' })), [
      ['email', 'o@example.com', 'claimed'],
    ]);
    const two = await form(settings, { a: 'o@example.com', b: 'p@example.com' });
    assert.deepEqual(
      claimsOf(two).map(([kind]) => kind),
      ['webhook:sample'],
    );
    const named = await form(asking({ email: ['b'] }), { a: 'o@example.com', b: 'p@example.com' });
    assert.deepEqual(claimsOf(named), [['email', 'p@example.com', 'claimed']]);
    assert.deepEqual(named.fields, { a: 'o@example.com' });
  });

  it('leaves what is no address and no phone a field', async () => {
    const item = await form(asking({ email: ['email'], phone: ['phone'] }), { email: 'none', phone: '-', note: 'x' });
    assert.deepEqual(item.fields, { email: 'none', phone: '-', note: 'x' });
    assert.equal(claimsOf(item)[0]![0], 'webhook:sample');
    assert.equal(claimsOf(item)[0]![2], 'claimed');
  });

  it('that says nobody is from a customer of its own each time', async () => {
    const ids = [];
    for (const wish of ['tea', 'coffee']) ids.push(claimsOf(await form(asking(), { wish }))[0]![1]);
    assert.notEqual(ids[0], ids[1]);
  });

  it('joins first and last name, and several texts under their questions', async () => {
    const roles = { firstName: ['first'], lastName: ['last'], text: ['why', 'how'] };
    const item = await form(asking(roles), { last: 'Sample', first: 'Olena', why: 'It broke.', how: 'It fell!', n: 1 });
    assert.equal(item.sender.name, 'Olena Sample');
    assert.equal(item.text, 'why: It broke.\nhow: It fell!');
    assert.deepEqual(item.fields, { n: '1' });
  });

  it('keeps two questions of one name apart', async () => {
    const mapping = { kind: { value: 'form' }, answers: { items: '/a', name: '/q', value: ['/v'] } };
    const a = ['x', 'y', 'z'].map((v) => ({ q: 'Which?', v }));
    const item = await form({ ...asking(), mapping }, { a });
    assert.deepEqual(item.fields, { 'Which?': 'x', 'Which? (2)': 'y', 'Which? (3)': 'z' });
  });

  it('is read however long its questions and answers are', async () => {
    const question = 'Why? '.repeat(100);
    const item = await form(asking({ email: ['mail'], text: ['text'] }), {
      [`${question}1`]: 'x'.repeat(20_000),
      [`${question}2`]: 'y',
      mail: `${'o'.repeat(600)}@example.com`,
      text: 'z'.repeat(1_100_000),
    });
    assert.equal(item.text.length, 1_000_000);
    const names = Object.keys(item.fields!);
    assert.equal(names.length, 3);
    assert.ok(names.every((name) => name.length <= 200));
    assert.ok(names.includes('mail'));
  });

  it('calls a pattern of signs only nothing, so that it is not all names', async () => {
    const item = await form(asking({ nothing: ['_*', '*'] }), { _wpcf7: '5', note: 'x' });
    assert.deepEqual(item.fields, { _wpcf7: '5', note: 'x' });
  });

  it('without an id is the same one on the same day, and another one later', async () => {
    const idAt = async (at: string, body = 'Name=Olena&Phone=0671234567') => {
      const payload = samplePayload(body, FORM, { receivedAt: Date.parse(at) });
      return ((await open({ preset: 'elementor' }).normalize(payload))[0] as EnvelopeInput).externalId;
    };
    const first = await idAt('2026-11-22T08:00:00Z');
    assert.equal(await idAt('2026-11-22T20:00:00Z'), first);
    assert.notEqual(await idAt('2026-12-22T08:00:00Z'), first);
    assert.notEqual(await idAt('2026-11-22T08:00:00Z', 'Name=Olena&Phone=0671234568'), first);
  });

  it('that is no response (a partial one, a test) is named and no ticket', async () => {
    const answers = [{ type: 'text', text: 'half', field: { id: 'a', type: 'short_text' } }];
    const partial = { event_type: 'form_response_partial', form_response: { token: 'x', answers } };
    assert.equal((await read({ preset: 'typeform' }, partial))[0]!.kind, 'ignored');
    assert.equal((await read({ preset: 'typeform' }, { ...partial, event_type: 'form_response' }))[0]!.kind, 'form');
    const other = { eventType: 'FORM_OPENED', data: { submissionId: 'x', fields: [{ key: 'a', value: 'b' }] } };
    assert.equal((await read({ preset: 'tally' }, other))[0]!.kind, 'ignored');
    assert.equal((await read({ preset: 'tilda' }, 'test=test', FORM))[0]!.kind, 'ignored');
    assert.equal((await read({ preset: 'tilda' }, 'test=testing&tranid=2', FORM))[0]!.kind, 'form');
  });
});

describe('A form as browsers write it', () => {
  const settings = { ...asking(), body: 'form' };

  it('is a list where a name comes more than once', async () => {
    const item = await form(settings, 'when%5B%5D=Sat&when%5B%5D=Sun&who=Olena+K%26Co', FORM);
    assert.deepEqual(item.fields, { when: 'Sat, Sun', who: 'Olena K&Co' });
  });

  it('reaches no prototype', async () => {
    const item = await form(settings, '__proto__=1&constructor=2&__proto__[x]=3&toString=kept', FORM);
    assert.deepEqual(Object.keys(item.fields!), ['__proto__[x]', 'toString']);
    assert.equal(({} as { x?: string }).x, undefined);
  });

  it('is JSON where it says so, and only read as a form where the settings say so', async () => {
    assert.deepEqual((await form(settings, { a: 'b' }, { 'content-type': 'application/json' })).fields, { a: 'b' });
    await assert.rejects(read(asking(), 'a=b', FORM), BadPayloadError);
  });

  it('is refused with too many names, in bytes that are no text, or cut off', async () => {
    const many = Array.from({ length: 1001 }, (_, n) => `n${n}=1`).join('&');
    await assert.rejects(read(settings, many, FORM), /more than 1000/);
    await assert.rejects(read(settings, 'name=%D0', FORM), /not UTF-8/);
    await form(settings, 'name=%EF%BF%BD', FORM);
    const type = { 'content-type': 'multipart/form-data; boundary=x' };
    await assert.rejects(
      read(settings, '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nhalf', type),
      BadPayloadError,
    );
    await assert.rejects(read(settings, '--x--\r\n', { 'content-type': 'multipart/form-data' }), BadPayloadError);
    const parts = Array.from({ length: 1001 }, () => '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n');
    await assert.rejects(read(settings, `${parts.join('')}--x--\r\n`, type), /more than 1000/);
  });

  it('that is JSON inside, and can’t be read there, stays a text', async () => {
    const item = await form(
      { ...settings, mapping: { ...settings.mapping, json: ['payment'] } },
      'payment=%7Bhalf',
      FORM,
    );
    assert.deepEqual(item.fields, { payment: '{half' });
  });
});

describe('A file of a form', () => {
  const settings = { ...asking(), files: { hosts: ['files.example.com'] } };
  const filesOf = async (answers: object, given: object = settings) =>
    ((await form(given, answers)).attachments ?? []) as Attachment[];

  it('is what lies at one of its hosts, or below one', async () => {
    const kept = ['https://files.example.com/a%20b.pdf', 'http://eu.files.example.com/b.pdf?x=1'];
    assert.deepEqual(
      (await filesOf({ kept })).map(({ name }) => name),
      ['a b.pdf', 'b.pdf'],
    );
  });

  it('is nothing that somebody typed to have us call it', async () => {
    const typed = [
      'https://example.com/a.pdf',
      'https://files.example.com.evil.test/a.pdf',
      'https://evilfiles.example.com/a.pdf',
      'https://evil.test/files.example.com',
      'https://files.example.com@evil.test/a.pdf',
      'https://user:pw@files.example.com/a.pdf',
      'ftp://files.example.com/a.pdf',
      'see https://files.example.com/a.pdf',
    ];
    for (const link of typed) {
      const item = await form(settings, { link, object: { url: link } });
      assert.deepEqual(item.attachments, [], link);
      assert.equal(item.fields!['link'], link);
    }
    assert.deepEqual(await filesOf({ link: 'https://files.example.com/a.pdf' }, asking()), []);
    assert.deepEqual(await filesOf({ link: `https://files.example.com/${'a'.repeat(4000)}` }), []);
  });

  it('may lie elsewhere than the preset says', async () => {
    const body = 'Photo=https://tupwidget.com/a.jpg&Other=https://files.example.com/b.jpg&tranid=1';
    const names = async (given: object) =>
      (await form({ preset: 'tilda', ...given }, body, FORM)).attachments!.map(({ name }) => name);
    assert.deepEqual(await names({}), ['a.jpg']);
    assert.deepEqual(await names({ files: settings.files }), ['b.jpg']);
  });

  it('is fetched with the token of its host over HTTPS only', async () => {
    const asked: HttpRequest[] = [];
    const stream: Http['stream'] = async (request) => {
      asked.push(request);
      return { headers: {}, body: Readable.from([Buffer.from('pdf')]) };
    };
    const mapping = { ...asking().mapping, attachments: { items: '/other', url: '/url' } };
    const files = { hosts: ['files.example.com'], token: 'a-token-of-the-vendor' };
    const channel = open({ ...asking(), mapping, files }, Object.assign(sealedHttp(), { stream }));
    const payload = samplePayload({
      a: 'https://files.example.com/a.pdf',
      b: 'http://files.example.com/b.pdf',
      other: [{ url: 'https://elsewhere.example.org/c.pdf' }],
    });
    const [item] = await channel.normalize(payload);
    for (const file of (item as { attachments: Attachment[] }).attachments) await channel.download!(file, payload);
    const authorized = asked.map(({ url, headers }) => [url, headers?.['authorization']]);
    assert.deepEqual(authorized, [
      ['https://elsewhere.example.org/c.pdf', undefined],
      ['https://files.example.com/a.pdf', 'Bearer a-token-of-the-vendor'],
      ['http://files.example.com/b.pdf', undefined],
    ]);
  });
});

describe('The script for Google Forms', () => {
  const page = readFileSync(new URL('../docs/channels/forms.md', import.meta.url), 'utf8');
  const script = /```js\n(const ADDRESS[\s\S]*?)```/.exec(page)![1]!;

  /** Apps Script's globals, as far as the script needs them. https://developers.google.com/apps-script/reference */
  function submit(statuses: number[]) {
    const sent: { headers: Record<string, string>; payload: string }[] = [];
    const item = (title: string, type: string) => ({
      getTitle: () => title,
      getType: () => ({ toString: () => type }),
    });
    const answer = (title: string, type: string, response: unknown) => ({
      getItem: () => item(title, type),
      getResponse: () => response,
    });
    const responses = [
      answer("Ваше ім'я", 'TEXT', 'Олена'),
      answer('Days', 'CHECKBOX', ['Sat', 'Sun']),
      answer('Що сталося?', 'PARAGRAPH_TEXT', 'Чашка розбилася.'),
    ];
    const event = {
      response: {
        getId: () => 'r-1',
        getTimestamp: () => new Date('2026-11-22T10:00:00Z'),
        getRespondentEmail: () => '',
        getItemResponses: () => responses,
      },
    };
    runInNewContext(`${script}\nonFormSubmit(event);`, {
      event,
      Date: { now: () => Date.parse('2026-11-22T10:00:00Z') },
      FormApp: { getActiveForm: () => ({ getId: () => 'f-1', getTitle: () => 'Support' }) },
      UrlFetchApp: {
        fetch(_address: string, request: { headers: Record<string, string>; payload: string }) {
          sent.push(request);
          return { getResponseCode: () => statuses[sent.length - 1] ?? 200 };
        },
      },
      Utilities: {
        Charset: { UTF_8: 'utf8' },
        // Its bytes are signed.
        computeHmacSha256Signature: (text: string, key: string, charset: 'utf8') => [
          ...new Int8Array(createHmac('sha256', key).update(text, charset).digest()),
        ],
        base64Encode: (bytes: number[]) => Buffer.from(Int8Array.from(bytes).buffer).toString('base64'),
        sleep: () => undefined,
      },
    });
    return sent;
  }

  it('sends what the channel takes and reads', async () => {
    const [request] = submit([200]);
    const channel = open({ preset: 'google_forms', auth: { secret: 'e1d2c3b4a5968778695a4b3c2d1e0fff' } });
    const payload = samplePayload(request!.payload, request!.headers);
    await channel.webhook!.verify(payload);
    const [item] = (await channel.normalize(payload)) as EnvelopeInput[];
    assert.equal(item!.text, 'Чашка розбилася.');
    assert.equal(item!.sender.name, 'Олена');
    assert.deepEqual(item!.fields, { Days: 'Sat, Sun', form: 'f-1' });
  });

  it('tries again while the gateway can’t take it, and gives up aloud', () => {
    assert.equal(submit([503, 503, 200]).length, 3);
    assert.throws(() => submit([503, 503, 503, 503, 503]), /answered 503/);
  });
});

describe('Submissions that others collected', function () {
  before(function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
  });
  const json = (path: string) => JSON.parse(readFileSync(new URL(path, SHARED), 'utf8')) as Record<string, unknown>;
  const multipart = (parts: Record<string, unknown>) => {
    const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
    const body = Object.entries(parts).map(
      ([name, value]) => `--x\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${text(value)}\r\n`,
    );
    return `${body.join('')}--x--\r\n`;
  };
  const MULTIPART = { 'content-type': 'multipart/form-data; boundary=x' };

  it('Typeform’s is one form with its choice', async () => {
    const body = { event_type: 'form_response', form_response: json('activepieces-samples/typeform.json') };
    const item = await form({ preset: 'typeform' }, body);
    assert.equal(item.externalId, '9q3v9bp5alonta6239q3q1rfly2c2ukh');
    assert.equal(item.subject, 'test2');
    assert.equal(item.text, '... Choice 1');
  });

  it('Jotform’s are forms with their names and answers', async () => {
    const zulip = await form(
      { preset: 'jotform' },
      multipart(json('zulip-jotform/jotform/fixtures/response.json')),
      MULTIPART,
    );
    assert.equal(zulip.externalId, '4791133489169827307');
    assert.equal(zulip.sender.name, 'gerd sfds');
    assert.equal(zulip.fields!['address'], 'asfdsf dsgd asd grgr 165');
    const all = json('sim-jotform/payloads.json') as unknown as {
      payload: Record<string, unknown>;
      placeholders?: number;
    }[];
    const sent = all.filter(({ placeholders }) => placeholders === undefined);
    assert.equal(sent.length, 1);
    for (const { payload } of sent) {
      const item = await form({ preset: 'jotform' }, multipart(payload), MULTIPART);
      assert.equal(item.sender.name, 'Bart Simpson');
      assert.deepEqual(claimsOf(item), [['email', 'bart@example.com', 'claimed']]);
    }
  });

  it('Google’s, as its own API writes one, is read by a mapping', async () => {
    const answers = { items: '/answers', name: '/questionId', value: ['/textAnswers/answers'] };
    const settings = { ...asking(), mapping: { kind: { value: 'form' }, id: '/responseId', answers } };
    const item = await form(settings, json('activepieces-samples/google-forms.json'));
    assert.deepEqual(item.fields, { '5bdc4001': 'test', '283d759e': 'نعم', '46f3e9cf': 'test' });
  });
});

describe('A form builder, through a whole gateway', () => {
  it('is answered 200 for its test, is one ticket however often it comes, and shows in catalogue and dry run', async () => {
    const whole = await startWhole({
      yaml: `  - { id: landing, type: webhook, preset: tilda, auth: { secret: ${SECRET} } }`,
    });
    try {
      const post = async (body: string, secret = SECRET) => {
        const url = `${whole.running.url}/webhooks/landing/${secret}`;
        return (await fetch(url, { method: 'POST', headers: FORM, body })).status;
      };
      const lead = 'Name=Olena&Phone=%2B380671234567&tranid=1:2&utm_source=ad';
      assert.deepEqual(
        [await post('test=test'), await post(lead), await post(lead), await post(lead, `${SECRET}x`)],
        [200, 200, 200, 401],
      );
      const { data } = await whole.api<{ data: { fields: object; messageCount: number }[] }>('/tickets');
      assert.deepEqual(
        data.map(({ messageCount }) => messageCount),
        [1],
      );

      const body = { method: 'POST', headers: FORM, body: 'Name=Ivan&tranid=3' };
      const dry = await whole.api<{ items: { sender: { name: string } }[] }>('/channels/landing/dry-run', {
        method: 'POST',
        body,
      });
      assert.equal(dry.items[0]!.sender.name, 'Ivan');

      type Type = { type: string; role: string; config: { properties: { preset?: { enum: string[] } } } };
      const catalogue = await whole.api<{ data: Type[] }>('/catalogue');
      const type = catalogue.data.find(({ type, role }) => type === 'webhook' && role === 'channel');
      assert.deepEqual(type!.config.properties.preset!.enum, [...presetNames]);

      const { settings } = await whole.api<{ settings: { auth: { secret: string } } }>('/channels/landing');
      assert.ok(!settings.auth.secret.includes(SECRET));
    } finally {
      await whole.close();
    }
  });
});
