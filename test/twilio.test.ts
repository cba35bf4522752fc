import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { twilio } from '../src/connectors/twilio/twilio/twilio.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import type { Customer, LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeContext } from './fakes/context.ts';
import { ACCOUNT, AUTH_TOKEN, describedTwilio, listed, sid, signForm, startTwilio } from './fakes/twilio.ts';
import type { FakeTwilio } from './fakes/twilio.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures');
const PUBLIC_URL = 'https://desk.example.com';
const ADDRESS = `${PUBLIC_URL}/webhooks/sms`;

interface Vectors {
  readonly authToken: string;
  readonly vectors: readonly {
    readonly name: string;
    readonly url: string;
    readonly params?: Readonly<Record<string, string | string[]>>;
    readonly body?: string;
    readonly signature: string;
    readonly valid: boolean;
  }[];
}
type Vector = Vectors['vectors'][number];

describe('The signature of Twilio', () => {
  const settings = { accountSid: ACCOUNT, numbers: ['+14155550100'] };
  const form = { From: '+14155550123', To: '+14155550100', Body: "It's 1 + 1 = 2 & більше", MessageSid: sid('SM', 1) };

  async function verify(
    { url, body, signature }: { readonly url: string; readonly body: string; readonly signature?: string },
    { authToken = AUTH_TOKEN, address = ADDRESS, ...headers }: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const context = { ...fakeContext({ id: 'sms' }), webhookUrl: address };
    const channel = await twilio.open(twilio.config.parse({ ...settings, authToken }), context);
    const signed = signature !== undefined && { 'x-twilio-signature': signature };
    const request = { endpointId: 'sms', receivedAt: 0, method: 'POST', url, headers: { ...headers, ...signed } };
    await channel.webhook!.verify({ ...request, body: Buffer.from(body) });
  }
  const refused = (work: Promise<void>, why: string) => assert.rejects(work, BadPayloadError, why);
  const encoded = (params: object) => new URLSearchParams(params as Record<string, string>).toString();

  it('is right over the configured address with its query, and every field', async () => {
    for (const query of ['', '?a=1&b=2', '?b=2&a=1']) {
      const signature = signForm(`${ADDRESS}${query}`, form);
      await verify({ url: `/webhooks/sms${query}`, body: encoded(form), signature });
      await refused(verify({ url: '/webhooks/sms?c=3', body: encoded(form), signature }), 'another query');
    }
  });

  it('is refused where it is missing, another one, or of another address, token or encoding', async () => {
    const signature = signForm(ADDRESS, form);
    const body = encoded(form);
    const url = '/webhooks/sms';
    const hex = Buffer.from(signature, 'base64').toString('hex');
    const wrong = [
      undefined,
      '',
      hex,
      `${signature}\n`,
      signature.slice(0, -1),
      `${signature}, ${signature}`,
      'é',
      'x'.repeat(1e6),
    ];
    for (const each of wrong) {
      await refused(verify({ url, body, ...(each !== undefined && { signature: each }) }), `accepts ${each}`);
    }
    await refused(verify({ url, body, signature }, { authToken: 'f'.repeat(32) }), 'another token');
    await refused(verify({ url, body, signature }, { address: `${PUBLIC_URL}/webhooks/other` }), 'another channel');
    const stranger = { host: 'evil.example.com', 'x-forwarded-host': 'evil.example.com', 'x-forwarded-proto': 'http' };
    const forged = signForm('http://evil.example.com/webhooks/sms', form);
    await refused(verify({ url, body, signature: forged }, stranger), "an address of the stranger's choice");
  });

  it('covers every field: none can be changed, added or left out', async () => {
    const signature = signForm(ADDRESS, form);
    const { Body: _, ...less } = form;
    for (const params of [{ ...form, Body: 'x' }, { ...form, Extra: '1' }, { ...form, __proto__x: '' }, less]) {
      await refused(verify({ url: '/webhooks/sms', body: encoded(params), signature }), JSON.stringify(params));
    }
    const twice = `${encoded(form)}&From=%2B14155550199`;
    await refused(verify({ url: '/webhooks/sms', body: twice, signature }), 'a second sender');
  });

  it('counts names such as __proto__ as any others', async () => {
    const text = `${ADDRESS}__proto__1__proto__3constructor2`;
    const signature = createHmac('sha1', AUTH_TOKEN).update(text).digest('base64');
    await verify({ url: '/webhooks/sms', body: '__proto__=1&constructor=2&__proto__=3', signature });
  });

  it('is not looked for in a form of very many fields', async () => {
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`f${index}`, '1']));
    const signature = signForm(ADDRESS, many);
    await assert.rejects(verify({ url: '/webhooks/sms', body: encoded(many), signature }), /more than 1000 parameters/);
  });

  describe('in the tests of its own library', () => {
    let vectors: Vectors;
    before(function () {
      const file = join(SHARED, 'signatures/twilio-node/vectors.json');
      skipUnless(this, existsSync(file), 'the collected fixtures are not beside the repository');
      vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors;
    });

    const bodyOf = ({ body, params = {} }: Vector) =>
      body ??
      encoded(Object.entries(params).flatMap(([name, values]) => [values].flat().map((value) => [name, value])));
    const check = ({ url, signature }: Vector, body: string) => {
      const [address = '', query = ''] = url.split(/(?=\?)/);
      return verify({ url: `/webhooks/sms${query}`, body, signature }, { authToken: vectors.authToken, address });
    };

    it('is accepted and refused as they say', async () => {
      assert.equal(vectors.vectors.length, 16);
      for (const vector of vectors.vectors) {
        const verdict = check(vector, bodyOf(vector));
        if (vector.valid) await verdict;
        else await refused(verdict, vector.name);
      }
    });

    it('is refused with any byte of body, address or signature changed', async () => {
      for (const vector of vectors.vectors.filter(({ valid }) => valid)) {
        const body = bodyOf(vector);
        await refused(check(vector, `${body} `), `${vector.name}, a byte more`);
        await refused(
          check(
            vector,
            body.replace(/.$/, (last) => (last === '1' ? '2' : '1')),
          ),
          vector.name,
        );
        const { url, signature } = vector;
        await refused(
          check(
            {
              ...vector,
              url: url
                .replace('foo=1', 'foo=2')
                .replace(/8SHA/, 'SHA')
                .replace(/(bodySHA256=.)./, '$1x'),
            },
            body,
          ),
          url,
        );
        await refused(
          check({ ...vector, signature: signature.replace(/^./, (one) => (one === 'A' ? 'B' : 'A')) }, body),
          vector.name,
        );
      }
    });
  });
});

describe("The settings of Twilio's channel", () => {
  const problems = (given: object) => {
    const settings = { accountSid: ACCOUNT, authToken: AUTH_TOKEN, numbers: ['+14155550100'], ...given };
    return twilio.config.safeParse(settings).error?.issues.map(({ path }) => path.join('.')) ?? [];
  };

  it('name what is none of an account, a number or a template', () => {
    assert.deepEqual(problems({ numbers: ['+14155550100', '72345', 'whatsapp:+14155550100', 'messenger:1'] }), []);
    for (const number of ['14155550100', '+1 415 555', 'Sample Bank', 'whatsapp:+1/2', '']) {
      assert.deepEqual(problems({ numbers: [number] }), ['numbers.0'], number);
    }
    assert.deepEqual(problems({ numbers: [] }), ['numbers']);
    assert.deepEqual(problems({ accountSid: 'SK00000000000000000000000000000001' }), ['accountSid']);
    assert.deepEqual(problems({ authToken: '' }), ['authToken']);
    assert.deepEqual(problems({ apiRoot: 'ftp://example.com' }), ['apiRoot']);
    const template = { id: 'HX1', name: 'Ready', language: 'uk', text: 'x' };
    assert.deepEqual(problems({ templates: [template] }), ['templates.0.id']);
  });
});

describe('Twilio, through a whole gateway', () => {
  let api: FakeTwilio;
  let whole: Whole;
  const description = describedTwilio();

  beforeEach(async () => {
    api = await startTwilio(description);
    const numbers = '["+14155550100", "whatsapp:+14155550100"]';
    const channel = (id: string) =>
      `  - { id: ${id}, type: twilio, accountSid: ${ACCOUNT}, authToken: "${AUTH_TOKEN}", numbers: ${numbers}, apiRoot: "${api.root}" }\n`;
    whole = await startWhole({ yaml: channel('sms'), env: { PUBLIC_URL } });
  });
  afterEach(async () => {
    await whole.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  /** As Twilio pushes: signed for the public address, whatever it reaches us by. */
  async function push(params: Readonly<Record<string, string>>, { token = AUTH_TOKEN, extra = '' } = {}) {
    const answer = await fetch(`${whole.running.url}/webhooks/sms`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
        'x-twilio-signature': signForm(ADDRESS, params, token),
      },
      body: `${new URLSearchParams(params).toString()}${extra}`,
    });
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() };
  }
  const sms = (number: number, Body: string, given: object = {}) => ({
    MessageSid: sid('SM', number),
    SmsStatus: 'received',
    AccountSid: ACCOUNT,
    From: '+380671234567',
    To: '+14155550100',
    Body,
    ...given,
  });
  const whatsapp = (number: number, Body: string, given: object = {}) =>
    sms(number, Body, { From: 'whatsapp:+380671234567', To: 'whatsapp:+14155550100', ProfileName: 'Олена', ...given });

  type List<T> = { readonly data: readonly T[] };
  const ticketsOf = async () => (await whole.api<List<Ticket>>('/tickets?limit=200')).data.toReversed();
  const messagesOf = async (id: string) => (await whole.api<List<Message>>(`/tickets/${id}/messages`)).data;
  const eventsOf = async () => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();
  const outcomesOf = async () => (await eventsOf()).map(({ outcome }) => outcome);

  it('answers at once with TwiML that says nothing, and knows what comes twice', async () => {
    for (let time = 0; time < 2; time++) {
      const { status, type, body } = await push(sms(1, 'Hello'));
      assert.deepEqual([status, type, body], [200, 'text/xml', '<?xml version="1.0" encoding="UTF-8"?><Response/>']);
    }
    assert.deepEqual(await outcomesOf(), ['ticket_created', 'duplicate']);
  });

  it('takes nothing that Twilio did not sign', async () => {
    assert.equal((await push(sms(1, 'Hello'), { token: 'f'.repeat(32) })).status, 401);
    assert.equal((await push(sms(1, 'Hello'), { extra: '&Body=Bye' })).status, 401);
    assert.deepEqual(await eventsOf(), []);
  });

  it('sets aside what is signed and says two things at once', async () => {
    const text = `${ADDRESS}Body1Body2MessageSid${sid('SM', 1)}`;
    const answer = await fetch(`${whole.running.url}/webhooks/sms`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-twilio-signature': createHmac('sha1', AUTH_TOKEN).update(text).digest('base64'),
      },
      body: `Body=1&Body=2&MessageSid=${sid('SM', 1)}`,
    });
    assert.equal(answer.status, 200);
    const [event] = await eventsOf();
    assert.equal(event!.outcome, 'quarantined');
    assert.match(event!.reason ?? '', /Body is there more than once/);
  });

  it('takes the same number on WhatsApp and SMS for one customer, whom only WhatsApp proves', async () => {
    await push(whatsapp(1, 'Доброго дня!'));
    await push(sms(2, 'Це знову я'));
    await push(whatsapp(3, 'Ще одне', { From: 'whatsapp:UA.1', ExternalUserId: 'whatsapp:UA.1' }));
    const { data } = await whole.api<List<Customer>>('/customers');
    const [hidden, known] = data.toSorted((a, b) => a.identifiers.length - b.identifiers.length);
    assert.equal(data.length, 2);
    assert.deepEqual(
      known!.identifiers.map(({ kind, value, trust }) => [kind, value, trust]),
      [['phone', '+380671234567', 'verified']],
    );
    assert.deepEqual(
      hidden!.identifiers.map(({ kind, value }) => [kind, value]),
      [['whatsapp', 'UA.1']],
    );
    await push(whatsapp(4, 'Тепер з номером', { ExternalUserId: 'whatsapp:UA.1' }));
    assert.equal((await whole.api<List<Customer>>('/customers')).data.length, 1);
  });

  it('sends an answer to where the customer wrote from, and shows what became of it', async () => {
    await push(whatsapp(1, 'Hello'));
    const [ticket] = await ticketsOf();
    const reply = await whole.api<Message>(`/tickets/${ticket!.id}/replies`, { method: 'POST', body: { text: 'Hi!' } });
    const state = async () => (await messagesOf(ticket!.id)).find(({ id }) => id === reply.id)?.delivery;
    await until(async () => (await state())?.state === 'sent', 'the answer goes out');
    const { To, From, Body, StatusCallback } = api.sent[0]!;
    assert.deepEqual(
      [To, From, Body, StatusCallback],
      ['whatsapp:+380671234567', 'whatsapp:+14155550100', 'Hi!', ADDRESS],
    );
    const told = { MessageSid: sid('SM', 900), AccountSid: ACCOUNT, To, From };
    for (const [MessageStatus, expected] of [
      ['queued', 'sent'],
      ['delivered', 'delivered'],
      ['sent', 'delivered'],
      ['read', 'read'],
    ] as const) {
      assert.equal((await push({ ...told, MessageStatus } as Record<string, string>)).status, 200);
      assert.equal((await state())?.state, expected);
    }
    await push({ ...told, MessageStatus: 'failed', ErrorCode: '63016' } as Record<string, string>);
    assert.deepEqual(await state(), {
      state: 'failed',
      error: '63016: more than 24 hours since the customer wrote: only templates may be sent',
    });
  });

  it('shows in a conversation that the customer unsubscribed, and makes no ticket of it alone', async () => {
    await push(sms(1, 'STOP', { OptOutType: 'STOP' }));
    assert.deepEqual(await ticketsOf(), []);
    await push(sms(2, 'Where is my order?'));
    await push(sms(3, ' Stop '));
    await push(sms(4, 'Stop it please'));
    const [ticket, ...others] = await ticketsOf();
    assert.deepEqual(others, []);
    assert.deepEqual(
      (await messagesOf(ticket!.id)).map(({ text, automatic }) => [text.trim(), automatic]),
      [
        ['Where is my order?', null],
        ['Stop', 'notification'],
        ['Stop it please', null],
      ],
    );
  });

  it('fetches after a downtime what Twilio pushed to nobody, once', async () => {
    await push(sms(1, 'Hello'));
    const now = new Date(Date.now()).toUTCString();
    const missed = { from: '+380671234567', date_created: now, date_sent: now };
    api.messages = [
      listed({ ...missed, sid: sid('SM', 3), body: 'STOP' }),
      listed({ ...missed, sid: sid('SM', 2), body: 'Is anybody there?' }),
      listed({ ...missed, sid: sid('SM', 1), body: 'Hello' }),
    ];
    await whole.restart();
    const [ticket, ...others] = await ticketsOf();
    assert.deepEqual(others, []);
    const texts = async () => (await messagesOf(ticket!.id)).map(({ text, automatic }) => [text, automatic]);
    await until(async () => (await texts()).length === 3, 'what was missed');
    await push(sms(2, 'Is anybody there?'));
    assert.deepEqual(await texts(), [
      ['Hello', null],
      ['Is anybody there?', null],
      ['STOP', 'notification'],
    ]);
    assert.equal((await outcomesOf()).filter((outcome) => outcome === 'duplicate').length, 2);
    assert.ok((await eventsOf()).every(({ reason }) => !/other content/.test(reason ?? '')));
  });

  it('keeps the files of a message', async () => {
    const path = `/2010-04-01/Accounts/${ACCOUNT}/Messages/${sid('MM', 1)}/Media/${sid('ME', 1)}`;
    api.files.set(path, { bytes: Buffer.from('a picture') });
    await push(
      sms(1, '', { NumMedia: '1', MediaUrl0: `https://api.twilio.com${path}`, MediaContentType0: 'image/png' }),
    );
    const [ticket] = await ticketsOf();
    const file = await until(async () => {
      const [found] = (await messagesOf(ticket!.id))[0]!.attachments;
      return found?.state === 'stored' && found;
    }, 'the file is kept');
    const answer = await fetch(`${whole.running.url}${file.url}`, {
      headers: { authorization: `Bearer ${whole.running.token}` },
    });
    assert.equal(await answer.text(), 'a picture');
  });

  it('reads every collected payload: messages, receipts, and nothing lost', async function () {
    const file = join(SHARED, 'twilio-sms-voice/chatwoot/payloads.json');
    skipUnless(this, existsSync(file), 'the collected fixtures are not beside the repository');
    const payloads = JSON.parse(readFileSync(file, 'utf8')) as { payload: Record<string, string> }[];
    for (const [index, { payload }] of payloads.entries()) {
      // They are of many tests, which all call their message the same.
      const own = payload.MessageStatus === undefined && { SmsSid: sid('SM', index) };
      assert.equal((await push({ ...payload, ...own })).status, 200);
    }
    const outcomes = await outcomesOf();
    const count = (...wanted: string[]) => outcomes.filter((outcome) => wanted.includes(outcome)).length;
    assert.deepEqual([count('ticket_created', 'appended'), count('receipt'), count('ignored')], [27, 6, 1]);
    assert.equal(outcomes.length, payloads.length);
    const messages = (await Promise.all((await ticketsOf()).map(({ id }) => messagesOf(id)))).flat();
    const texts = messages.map(({ text }) => text);
    for (const text of [
      'Test message',
      'remove null bytes',
      'Test message from Brazil',
      '📍 12.160894393921, 75.265205383301',
    ]) {
      assert.ok(texts.includes(text), text);
    }
    assert.deepEqual(
      messages
        .map(({ attachments }) => attachments.length)
        .filter((count) => count > 0)
        .toSorted(),
      [1, 1, 2],
    );
    assert.ok(messages.some(({ author }) => author.name === 'João Silva'));
  });
});
