import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { messageIdFor, replyAddressFor } from '../src/core/mail-address.ts';
import { itemsOf } from '../src/connectors/email/envelope.ts';
import type { Mail } from '../src/connectors/email/mail.ts';
import readMail from '../src/connectors/email/read-worker.ts';
import { rules } from '../src/connectors/email/rules.ts';
import { withoutPrefixes } from '../src/connectors/email/text/subject.ts';
import { ticketProof } from '../src/normalizer/thread.ts';
import { conversations, type Conversation } from './fakes/conversations.ts';
import { openFiling, PROOF_KEY, type Filing } from './fakes/filing.ts';
import { skipUnless } from './skip.ts';

const Rules = z.object(rules);
const channels: Readonly<Record<string, z.input<typeof Rules>>> = {
  mail: {},
  strict: { newSubject: 'new_ticket' },
  keys: { subjectKeys: [{ pattern: 'INC{number}' }, { pattern: '[SHOP-{number}]', from: '@jira.test' }] },
  agents: { agents: ['@example.com'], authServer: 'mx.example.com' },
  sales: { sameMailAs: ['service'] },
  service: { sameMailAs: ['sales'] },
  forms: { forms: [{ from: 'form@program.test', email: 'E-mail' }] },
};
const MINUTE = 60_000;

/** Mail as it is read and filed by the product, without the process that it is read in. */
function openMail(): Promise<Filing> {
  return openFiling({
    threads: 'topic',
    channel: {
      async normalize(payload) {
        const mail = (await readMail({ bytes: new Uint8Array(payload.body) })) as Mail;
        const { authServer, ...given } = Rules.parse(channels[payload.endpointId] ?? {});
        return itemsOf(mail, payload, { ...given, authServer, addresses: ['support@example.com', 'help@example.com'] });
      },
    },
  });
}

/** A mail of a conversation, and where it went. */
interface Filed {
  readonly what: string;
  /** The ticket that it belongs to, and the one that it went to; undefined: none. */
  readonly wanted: string | undefined;
  readonly found: string | undefined;
  readonly outcome: string;
}

/** Files a whole conversation; tickets are numbered as they are opened. */
async function converse(filing: Filing, { what, mails }: Conversation, index: number): Promise<Filed[]> {
  const numbers = new Map<string, number>();
  const ids: string[] = [];
  const filed: Filed[] = [];
  for (const [at, [letter, ...lines]] of mails.entries()) {
    filing.clock.jump(MINUTE);
    const given = lines.map((line) => fill(line, ids, numbers));
    const channel = given.find((line) => line.startsWith('In: '))?.slice(4) ?? 'mail';
    const id = `<m${at}.c${index}@mails.test>`;
    const raw = toMail(
      given.filter((line) => !line.startsWith('In: ')),
      id,
      filing.clock.now(),
    );
    ids.push(/^message-id: ?(<.*>)$/im.exec(raw)?.[1] ?? '<none>');
    const payload = { endpointId: channel, receivedAt: filing.clock.now(), method: 'STREAM', url: '', headers: {} };
    const { items } = await filing.intake.receive({ ...payload, body: Buffer.from(raw) });
    assert.equal(items.length, 1);
    const { outcome, ticketId } = items[0]!;
    const ticket = ticketId === undefined ? undefined : await filing.store.read.ticket(ticketId);
    // A receipt says something of a message, and is none.
    const found = outcome === 'receipt' ? undefined : ticket?.id;
    if (ticket && !numbers.has(letter)) numbers.set(letter, ticket.number);
    filed.push({
      what: `${what}: mail ${at + 1}`,
      wanted: letter === '-' ? undefined : `${index} ${letter}`,
      found,
      outcome,
    });
  }
  return filed;
}

function fill(line: string, ids: readonly string[], numbers: ReadonlyMap<string, number>): string {
  return line.replace(/\{(?:(\d+)|([A-Za-z]+) ([A-Z]))\}/g, (_, nth: string, what: string, letter: string) => {
    if (nth) return ids[Number(nth) - 1]!;
    const number = numbers.get(letter)!;
    const proof = ticketProof(PROOF_KEY, number);
    const ours = (given: string, of = number) =>
      messageIdFor({ number: of, proof: given }, 'rpl-1', 'support@example.com');
    const address = (given: string, of = number) =>
      replyAddressFor({ number: of, proof: given }, 'support@example.com')!;
    const id = ours(proof);
    const values: Record<string, string> = {
      our: `<${id}>`,
      bare: id,
      capitals: `<${id.toUpperCase()}>`,
      broken: `<${id.slice(0, 20)}\n ${id.slice(20)}>`,
      forged: `<${ours('0'.repeat(26))}>`,
      address: address(proof),
      ADDRESS: address(proof).toUpperCase(),
      guess: address('0'.repeat(26)),
      cut: address(proof.slice(0, 13)),
      swap: address(ticketProof(PROOF_KEY, number + 1)),
      number: String(number),
    };
    return values[what]!;
  });
}

function toMail(lines: readonly string[], id: string, at: number): string {
  const isHeader = (line: string) => /^[A-Za-z-]+:/.test(line) && !/^(E-mail|BEGIN):/.test(line);
  const headers = lines.filter(isHeader);
  const has = (name: string) => headers.some((line) => line.toLowerCase().startsWith(`${name}:`));
  const added = [
    ...(has('to') ? [] : ['To: support@example.com']),
    ...(has('date') ? [] : [`Date: ${new Date(at).toUTCString()}`]),
    ...(has('message-id') ? [] : [`Message-ID: ${id}`]),
  ];
  const body = lines.filter((line) => !isHeader(line)).join('\n');
  return `${[...headers, ...added].filter((line) => line !== 'Message-ID:').join('\n')}\n\n${body || 'Hello'}\n`;
}

/** Over all pairs of mails: of those in one ticket, how many belong together; of those that do, how many are. */
function measure(all: readonly Filed[]) {
  let [together, right, wanted] = [0, 0, 0];
  for (const [at, one] of all.entries()) {
    for (const other of all.slice(at + 1)) {
      const isOne = one.found !== undefined && one.found === other.found;
      const shouldBe = one.wanted !== undefined && one.wanted === other.wanted;
      together += Number(isOne);
      wanted += Number(shouldBe);
      right += Number(isOne && shouldBe);
    }
  }
  return { precision: right / together, recall: right / wanted, pairs: wanted };
}

describe('A conversation by mail', () => {
  let filing: Filing;
  const filed: Filed[][] = [];
  before(async function () {
    filing = await openMail();
    for (const [index, conversation] of conversations.entries())
      filed.push(await converse(filing, conversation, index));
  });
  after(() => filing?.close());

  for (const [index, { what }] of conversations.entries()) {
    it(what, () => {
      const tickets = new Map<string, string | undefined>();
      for (const { what: mail, wanted, found, outcome } of filed[index]!) {
        if (wanted === undefined) assert.equal(found, undefined, `${mail} ${outcome}`);
        else if (!tickets.has(wanted)) tickets.set(wanted, found);
        if (wanted === undefined) continue;
        assert.notEqual(found, undefined, `${mail} is ${outcome}`);
        assert.equal(found, tickets.get(wanted), `${mail} belongs to the ticket ${wanted}`);
      }
      assert.equal(new Set(tickets.values()).size, tickets.size, 'what doesn’t belong together is in one ticket');
    });
  }

  it('is never mixed with another one, and hardly ever torn', () => {
    const { precision, recall, pairs } = measure(filed.flat());
    console.log(
      `      ${conversations.length} conversations, ${pairs} pairs: precision ${precision}, recall ${recall}`,
    );
    assert.ok(conversations.length >= 60);
    assert.equal(precision, 1);
    assert.ok(recall >= 0.98, String(recall));
  });
});

/** Messages of another project's threading tests, and the trees that they make. Not part of the repository. */
const HOME = join(import.meta.dirname, '../../shared/fixtures/email-threading/mailkit-threading');

const Threads = z.object({
  messages: z.array(
    z.object({ subject: z.string(), messageId: z.string(), date: z.string(), references: z.string().nullable() }),
  ),
  expected: z.string(),
});
const Subjects = z.array(z.object({ subject: z.string(), base: z.string() }));

describe('The threading cases of another project', () => {
  let filing: Filing;
  before(function () {
    skipUnless(this, existsSync(HOME), `no cases in ${HOME}`);
  });
  beforeEach(async () => {
    filing = await openMail();
  });
  afterEach(() => filing?.close());

  const load = (name: string): unknown => JSON.parse(readFileSync(join(HOME, name), 'utf8'));

  /** The tree of each subject: what is indented belongs to what stands above. */
  function treesOf(expected: string): Map<string, number> {
    const trees = new Map<string, number>();
    let tree = 0;
    for (const line of expected.split('\n').filter((each) => each.trim() !== '')) {
      if (!line.startsWith(' ')) tree++;
      if (line.trim() !== 'dummy') trees.set(line.trim(), tree);
    }
    return trees;
  }

  for (const name of ['references.json', 'subject.json']) {
    it(`are one ticket a tree, as ${name} has them`, async () => {
      const { messages, expected } = Threads.parse(load(name));
      const trees = treesOf(expected);
      const tickets = new Map<number, Set<string>>();
      for (const { subject, messageId, date, references } of messages) {
        const tree = trees.get(subject);
        // Its trees leave out what runs in circles; and equal subjects alone are no conversation to us.
        const isAlone = references === null && messages.filter((other) => other.subject === subject).length > 1;
        const lines = [`Subject: ${subject}`, `Date: ${date}`, ...(references ? [`References: ${references}`] : [])];
        const raw = toMail(['From: olena@example.com', ...lines], messageId, 0);
        const payload = { endpointId: 'mail', receivedAt: filing.clock.now(), method: 'STREAM', url: '', headers: {} };
        const { items } = await filing.intake.receive({ ...payload, body: Buffer.from(raw) });
        const { ticketId, outcome } = items[0]!;
        if (tree === undefined || (isAlone && outcome === 'ticket_created')) continue;
        tickets.set(tree, (tickets.get(tree) ?? new Set()).add(ticketId!));
      }
      for (const [tree, ids] of tickets) assert.equal(ids.size, 1, `tree ${tree}`);
      const all = [...tickets.values()].flatMap((ids) => [...ids]);
      assert.equal(new Set(all).size, all.length, 'two trees in one ticket');
      assert.ok(tickets.size >= 1 && trees.size >= 5);
    });
  }

  it('are about the same under every prefix', () => {
    // What a list writes in brackets is part of the subject to us.
    const cases = Subjects.parse(load('threadable-subjects.json')).filter(({ subject }) => !/\[[A-Z]/.test(subject));
    assert.ok(cases.length >= 4);
    for (const { subject, base } of cases) assert.equal(withoutPrefixes(subject).subject, base, subject);
  });
});
