import assert from 'node:assert/strict';
import { z } from 'zod';
import { itemsOf } from '../src/connectors/email/envelope.ts';
import type { Mail } from '../src/connectors/email/mail.ts';
import readMail from '../src/connectors/email/read-worker.ts';
import { rules } from '../src/connectors/email/rules.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import { answerAddressFor, answerProof } from '../src/core/mail-address.ts';
import { ANSWER_ABOVE } from '../src/core/mark.ts';
import type { Payload } from '../src/core/payload.ts';
import type { LedgerEvent, Message } from '../src/core/ticket.ts';
import { ticketProof } from '../src/normalizer/thread.ts';
import { message, PROOF_KEY } from './fakes/filing.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const KEY = Buffer.alloc(32, 3);
const RULES = {
  ...z.object(rules).parse({}),
  agents: ['ivan@agents.test', '@desk.test'],
  authServer: 'mx.example.com',
  addresses: ['support@example.com'],
};

/** Cases of sections C and D of docs/hardening.md: what is mailed to an address for answers. */
describe('Mail to an address at which a destination awaits answers', () => {
  let out: Outgoing;
  let ticketId: string;
  let number: number;
  const answers: Reply[] = [];
  let next = 0;

  beforeEach(async () => {
    answers.length = 0;
    const normalize = async (payload: Payload) =>
      payload.endpointId === 'mail'
        ? itemsOf((await readMail({ bytes: new Uint8Array(payload.body) })) as Mail, payload, RULES)
        : (JSON.parse(payload.body.toString()) as ItemInput[]);
    const channel: Partial<Channel> = {
      normalize,
      reply: async (reply) => void answers.push(reply),
      download: async () => assert.fail('no file'),
    };
    const targets = [
      { id: 'team', carries: 'tickets' },
      { id: 'other', carries: 'tickets' },
    ] as const;
    out = await openOutgoing(targets, {}, channel, () => [
      { id: 'other', key: Buffer.alloc(32, 4) },
      { id: 'team', key: KEY },
    ]);
    for (const id of ['chat', 'mail']) out.addChannel(id, channel);
    for (const { id } of targets) {
      out.addDestination(id, {
        createTicket: async () => ({ externalId: `at-${id}` }),
        addMessage: async () => undefined,
      });
    }
    const [filed] = await out.file(message('telegram|1', { text: 'Where is it?' }), 'chat');
    ticketId = filed!.ticketId!;
    number = filed!.ticketNumber!;
    await out.pass(2000);
  });
  afterEach(() => out.close());

  const addressOf = (given: { key?: Buffer; at?: number; proof?: string } = {}) => {
    const { key = KEY, at = number, proof = answerProof(key, at) } = given;
    return answerAddressFor({ number: at, proof }, 'support@example.com');
  };
  const PASS = 'mx.example.com; dmarc=pass header.from=agents.test';

  /** Ivan's answer, unless said otherwise. */
  async function receive(
    given: Partial<Record<string, string>> = {},
    text = 'It comes tomorrow.',
  ): Promise<LedgerEvent> {
    const headers: Record<string, string | undefined> = {
      'Authentication-Results': PASS,
      From: 'Ivan <ivan@agents.test>',
      To: addressOf(),
      Subject: 'Re: [#1001] Where is it?',
      'Message-ID': `<answer-${++next}@agents.test>`,
      Date: 'Sun, 22 Nov 2026 10:00:00 +0000',
      'Content-Type': 'text/plain; charset=utf-8',
      ...given,
    };
    const head = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
    const body = Buffer.from(`${head.join('\r\n')}\r\n\r\n${text.replaceAll('\n', '\r\n')}\r\n`);
    const payload = { endpointId: 'mail', receivedAt: out.clock.now(), method: 'STREAM', url: '', headers: {}, body };
    await out.intake.receive(payload);
    await out.pass(3000);
    return (await out.store.read.events({ endpoint: 'mail' }, { limit: 1 })).data[0]!;
  }

  const messages = async (): Promise<readonly Message[]> =>
    (await out.store.read.messages(ticketId, { limit: 50 })).data.slice(1);
  const toldTo = async (id: string) =>
    (await out.deliveries({ destination: id })).filter(
      ({ type }) => type.startsWith('message') || type.startsWith('note'),
    ).length - 1;
  /** Nothing went to the customer, and the ticket got a note that no help desk hears of. */
  async function isNote(event: LedgerEvent, why: RegExp): Promise<Message> {
    assert.equal(event.outcome, 'appended');
    assert.deepEqual(answers, []);
    const [note, ...more] = await messages();
    assert.deepEqual([note!.kind, note!.delivery, more.length], ['note', null, 0]);
    assert.match(note!.text, /^Mail of .* NOT sent to the customer: /);
    assert.match(note!.text, why);
    assert.deepEqual([await toldTo('team'), await toldTo('other')], [0, 0]);
    return note!;
  }
  /** It went into another ticket, as any mail. */
  async function isPlain(event: LedgerEvent): Promise<void> {
    assert.match(event.outcome, /^(ticket_created|appended)$/, event.reason ?? '');
    assert.notEqual(event.ticketId, ticketId);
    assert.deepEqual([answers.length, (await messages()).length], [0, 0]);
  }

  it('goes to the customer through his channel, where a colleague is proven to have written it', async () => {
    const event = await receive();
    assert.equal(event.outcome, 'appended');
    assert.match(event.reason!, /^reply by Ivan <ivan@agents\.test>$/);
    assert.deepEqual(
      answers.map(({ message: { text, html } }) => [text, html]),
      [['It comes tomorrow.', null]],
    );
    const [answer] = await messages();
    assert.deepEqual([answer!.kind, answer!.channel!.id, answer!.delivery!.state], ['message', 'chat', 'sent']);
    assert.deepEqual([await toldTo('team'), await toldTo('other')], [0, 1], 'who asked for it has it');
  });

  it('goes there once, however often it comes', async () => {
    await receive({ 'Message-ID': '<same@agents.test>' });
    const again = await receive({ 'Message-ID': '<same@agents.test>' });
    assert.equal(again.outcome, 'duplicate');
    const { items } = await out.intake.replay(again.id, 'user:1');
    assert.deepEqual(items, [{ ...items[0], outcome: 'duplicate', ticketId }], 'filed again, it is the same answer');
    assert.deepEqual([answers.length, (await messages()).length], [1, 1]);
  });

  it('goes to whom the ticket went after it was merged', async () => {
    const [other] = await out.file(message('telegram|1', { thread: { externalId: 't2', shared: true } }), 'chat');
    await out.desk.mergeTickets(ticketId, other!.ticketId!, 'user:1');
    assert.equal((await receive()).ticketId, other!.ticketId);
    assert.equal(answers.length, 1);
  });

  it('is only noted where nothing proves who wrote it (C28, D03)', async () => {
    for (const results of [
      undefined,
      'mx.example.com; dmarc=fail header.from=agents.test',
      'evil.test; dmarc=pass header.from=agents.test',
      'mx.example.com; dmarc=pass header.from=other.test',
    ]) {
      const event = await receive({ 'Authentication-Results': results });
      assert.equal(event.outcome, 'appended', results);
    }
    assert.deepEqual([answers.length, (await messages()).every(({ kind }) => kind === 'note')], [0, true]);
  });

  it('is only noted where a stranger is proven to have written it', async () => {
    const stranger = { From: 'eve@evil.test', 'Authentication-Results': PASS.replace('agents', 'evil') };
    const note = await isNote(await receive(stranger), /nothing proves that a colleague answered/);
    assert.match(note.text, /Mail of <eve@evil\.test>[^]*It comes tomorrow\./);
  });

  it('is an ordinary mail with another proof, number or key, or with the one that customers get (C27)', async () => {
    const proofs = [
      answerProof(KEY, number + 1),
      answerProof(Buffer.alloc(32), number),
      ticketProof(PROOF_KEY, number),
      answerProof(KEY, number).slice(0, -1) + '0',
      '0'.repeat(26),
    ].filter((proof) => proof !== answerProof(KEY, number));
    for (const proof of proofs) await isPlain(await receive({ To: addressOf({ proof }), Subject: proof }));
    await isPlain(await receive({ To: addressOf({ at: 4711 }), Subject: 'another' }));
  });

  it('is no answer for being named in headers that nobody signs', async () => {
    const plain = { To: 'support@example.com', 'Delivered-To': addressOf(), 'X-Original-To': addressOf() };
    const event = await receive(plain);
    assert.deepEqual([answers.length, (await messages()).length], [0, 0], event.reason ?? '');
  });

  it('is ignored from a machine, also from a colleague’s (C31, C32)', async () => {
    for (const [name, value] of [
      ['Auto-Submitted', 'auto-replied'],
      ['Auto-Submitted', 'auto-generated'],
      ['X-Auto-Response-Suppress', 'All'],
      ['Precedence', 'bulk'],
      ['Return-Path', '<>'],
    ] as const) {
      for (const given of [{}, { From: 'eve@evil.test' }]) {
        const event = await receive({ [name]: value, ...given });
        assert.equal(event.outcome, 'ignored', `${name}: ${value}`);
        assert.match(event.reason!, /a machine's answer to what team was sent about #/);
      }
    }
    assert.deepEqual([answers.length, (await messages()).length], [0, 0]);
  });

  it('is ignored where it is what the destination itself was sent, come back (C32)', async () => {
    const event = await receive({ From: 'noreply@example.com', To: 'help@example.com', 'Reply-To': addressOf() });
    assert.match(`${event.outcome}: ${event.reason}`, /^ignored: own_mail: what team was sent about #\d+ came back$/);
    const other = await receive({ 'Reply-To': addressOf({ key: Buffer.alloc(32, 7) }), To: 'support@example.com' });
    assert.equal(other.outcome, 'ticket_created', 'what another installation asks is a mail as all others');
  });

  it('is a note where the address is only in copy: it was written to somebody else', async () => {
    const event = await receive({ To: 'supplier@example.org', Cc: addressOf() });
    assert.match(event.reason!, /^note by Ivan/);
    const [note] = await messages();
    assert.deepEqual([answers.length, note!.kind, note!.text], [0, 'note', 'It comes tomorrow.']);
    assert.deepEqual([await toldTo('team'), await toldTo('other')], [0, 1]);
  });

  it('is only noted where a colleague passes something on, or says nothing', async () => {
    const passed = `---------- Forwarded message ---------\nFrom: Bob <bob@example.org>\nDate: Sat, 21 Nov 2026 10:00\nSubject: x\nTo: support@example.com\n\nsecret`;
    await receive({ Subject: 'Fwd: x' }, passed);
    await receive({}, `\nOn Sunday, Support wrote:\n> ${ANSWER_ABOVE}\n> He is a thief.`);
    assert.deepEqual([answers.length, (await messages()).map(({ kind }) => kind)], [0, ['note', 'note']]);
  });

  it('is no note where the customer himself was written to: it is his message', async () => {
    const hers = { kind: 'email', value: 'olena@example.org', trust: 'verified' } as const;
    await out.file(message(['telegram|1', `email|${hers.value}|verified`], { text: 'my address' }), 'chat');
    const results = 'mx.example.com; dmarc=pass header.from=example.org';
    const event = await receive({ From: 'olena@example.org', 'Authentication-Results': results }, 'Thanks!');
    assert.deepEqual([event.outcome, event.ticketId], ['appended', ticketId]);
    const last = (await messages()).at(-1)!;
    assert.deepEqual([last.kind, last.direction, last.text, answers.length], ['message', 'inbound', 'Thanks!', 0]);
  });

  it('says the same only once within an hour: who repeats himself is a machine that doesn’t say so (C32)', async () => {
    for (let n = 0; n < 4; n++) await receive({}, 'We have got your mail.');
    assert.equal(answers.length, 1);
    assert.match((await messages()).at(-1)!.text, /NOT sent to the customer: the same was answered within the hour/);
    out.clock.jump(3_600_000);
    await receive({}, 'We have got your mail.');
    await receive({}, 'Something else.');
    assert.equal(answers.length, 3);
  });

  it('brings nothing of what he was sent to the customer, however his program quotes it', async () => {
    const quote = `${ANSWER_ABOVE}\nYour answer to this mail goes to the customer.\n\nNote · Petro · 2026\n\nHe is a thief.`;
    const marked = quote.replaceAll(/^/gm, '> ');
    const all = [
      `Tomorrow.\n\nOn Sun, 22 Nov 2026 at 10:00, Olena <support@example.com> wrote:\n${marked}`,
      `Tomorrow.\n\n-----Original Message-----\nFrom: Olena <support@example.com>\nSent: Sunday\nTo: ivan@agents.test\nSubject: x\n\n${quote}`,
      `Tomorrow.\n\n____\nunknown program, quoting as nobody does:\n\n${quote}`,
      `On Sun, 22 Nov 2026 at 10:00, Olena <support@example.com> wrote:\n${marked}\n\nTomorrow.`,
      `On Sun, 22 Nov 2026 at 10:00, Olena <support@example.com> wrote:\n${marked.replace('> He', '> He\nTomorrow.\n> He')}`,
      'On Sun, 22 Nov 2026 at 10:00, Olena <support@example.com> wrote:\n> He is a thief.\nTomorrow.\n> Petro\n\nReally.\n> He is a thief.\n\nYours',
    ];
    for (const [n, text] of all.entries()) await receive({}, text.replaceAll('Tomorrow', `Tomorrow ${n}`));
    assert.equal(answers.length, all.length);
    for (const [n, { message: said }] of answers.entries()) {
      const [first] = said.text.split('\n');
      // What announces a quote in words that nobody knows stays; what is quoted never does.
      assert.equal(n < 2 ? said.text : first, `Tomorrow ${n}.`);
      assert.doesNotMatch(said.text, /thief|Answer above|Petro/);
    }
  });
});
