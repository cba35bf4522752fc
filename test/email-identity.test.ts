import assert from 'node:assert/strict';
import { z } from 'zod';
import { itemsOf } from '../src/connectors/email/envelope.ts';
import type { Mail } from '../src/connectors/email/mail.ts';
import readMail from '../src/connectors/email/read-worker.ts';
import { rules } from '../src/connectors/email/rules.ts';
import { Envelope, type ItemInput } from '../src/core/envelope.ts';
import { openFiling } from './fakes/filing.ts';

const Rules = z.object(rules);
type Settings = z.input<typeof Rules>;

async function itemsIn(mail: string, settings: Settings, headers: Record<string, string> = {}): Promise<ItemInput[]> {
  const body = Buffer.from(mail, 'latin1');
  const { authServer, ...given } = Rules.parse(settings);
  const payload = { endpointId: 'mail', receivedAt: Date.UTC(2026, 0, 31), method: 'STREAM', url: '', headers, body };
  const known = { ...given, authServer, addresses: ['support@example.com'] };
  return itemsOf((await readMail({ bytes: new Uint8Array(body) })) as Mail, payload, known);
}

async function read(head: string, settings: Settings = {}, body = 'Hello') {
  const [item] = await itemsIn(`${head}\n\n${body}\n`, settings);
  assert.equal(item?.kind, 'message', JSON.stringify(item));
  return Envelope.parse(item);
}

const AUTH = { authServer: 'mx.example.com' };
const trustOf = async (head: string, settings: Settings = AUTH) =>
  (await read(head, settings)).sender.identifiers[0]!.trust;
const PASS = 'dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=shop.test';

describe('the author of a mail', () => {
  describe('is proven by our own server’s word', () => {
    it('on the domain of From, in the forms that servers write', async () => {
      for (const [authServer, header] of [
        ['mx.example.com', `mx.example.com; ${PASS}`],
        ['mx.example.com', `MX.Example.Com 1; spf=pass smtp.mailfrom=a@shop.test; ${PASS}`],
        [
          'mx.example.com',
          `mx.example.com;\n\tdkim=pass (2048-bit key; unprotected) header.b="Ab+c/1";\n\tdmarc=pass header.from=Shop.Test`,
        ],
        ['none', `spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=shop.test; ${PASS}; compauth=pass reason=100`],
        ['none', `dmarc=pass action=none header.from=shop.test`],
      ]) {
        const head = `Authentication-Results: ${header}\nFrom: o@shop.test`;
        assert.equal(await trustOf(head, { authServer }), 'verified', header);
      }
    });

    it('and by nobody else’s, nor by what stands below it, nor without a setting (C29)', async () => {
      const good = `Authentication-Results: mx.example.com; ${PASS}`;
      const forged: readonly (readonly [string, string, Settings?])[] = [
        ['another server', `Authentication-Results: mx.evil.test; ${PASS}`],
        ['no name, though ours has one', `Authentication-Results: ${PASS}`],
        ['a name, though ours has none', good, { authServer: 'none' }],
        ['no setting', good, {}],
        ['below the real one', `Authentication-Results: mx.example.com; dmarc=fail header.from=shop.test\n${good}`],
        ['below another one', `Authentication-Results: mx.other.test; dmarc=none\n${good}`],
        ['fail', `Authentication-Results: mx.example.com; dmarc=fail header.from=shop.test`],
        ['none', 'Authentication-Results: mx.example.com; spf=pass; dkim=pass header.d=shop.test'],
        ['another domain', 'Authentication-Results: mx.example.com; dmarc=pass header.from=evil.test'],
        ['the domain above it', 'Authentication-Results: mx.example.com; dmarc=pass header.from=test'],
        ['no domain', 'Authentication-Results: mx.example.com; dmarc=pass'],
        ['two verdicts', `Authentication-Results: mx.example.com; ${PASS}; dmarc=fail header.from=shop.test`],
        ['in a comment', `Authentication-Results: mx.example.com; spf=pass (; ${PASS})`],
        [
          'in a plain comment',
          'Authentication-Results: mx.example.com; spf=pass (a; dmarc=pass header.from=shop.test )',
        ],
        [
          'behind a comment that the sender ended',
          `Authentication-Results: mx.example.com; spf=pass (of "a) ; ${PASS.replace(/\(.*\)/, '')} ("@evil.test)`,
        ],
        [
          'in an address that the sender chose',
          `Authentication-Results: mx.example.com; spf=pass smtp.mailfrom="a;dmarc=pass header.from=shop.test;"@evil.test`,
        ],
        ['ARC', `ARC-Authentication-Results: i=1; mx.example.com; ${PASS}`],
        ['and somebody else is named in an empty second From', `${good}\nFrom:`],
        ['without end', `Authentication-Results: mx.example.com; ${PASS}; x=${'a'.repeat(10_000)}`],
      ];
      for (const [what, headers, settings] of forged) {
        assert.equal(await trustOf(`${headers}\nFrom: o@shop.test`, settings ?? AUTH), 'observed', what);
      }
    });

    it('unless there are two authors (C13)', async () => {
      const good = `Authentication-Results: mx.example.com; ${PASS}`;
      for (const from of ['From: o@shop.test, eve@evil.test', 'From: o@shop.test\nFrom: eve@evil.test']) {
        const { sender, fields } = await read(`${good}\n${from}`, AUTH);
        assert.equal(sender.identifiers[0]!.trust, 'observed', from);
        assert.match(fields.remarks!, /more than one author/);
      }
    });
  });

  it('is From, never Reply-To or Sender, unless From is our own address (C37, D04)', async () => {
    const { sender, fields } = await read('From: o@shop.test\nReply-To: eve@evil.test\nSender: eve@evil.test');
    assert.deepEqual(sender.identifiers, [{ kind: 'email', value: 'o@shop.test', trust: 'observed' }]);
    assert.equal(fields.replyTo, 'eve@evil.test');
    const form = await read('From: support@example.com\nReply-To: support@example.com, o@shop.test');
    assert.deepEqual(form.sender.identifiers, [{ kind: 'email', value: 'o@shop.test', trust: 'claimed' }]);
    const group = await read('From: "O via Support" <support@example.com>\nX-Original-From: O <o@shop.test>');
    assert.deepEqual(group.sender.identifiers, [{ kind: 'email', value: 'o@shop.test', trust: 'claimed' }]);
  });

  it('is not our own address, whose mail opens nothing (C49)', async () => {
    for (const head of [
      'From: support@example.com',
      'From: Support <SUPPORT+x@example.com>\nReply-To: support@example.com',
    ]) {
      assert.deepEqual(
        (await itemsIn(`${head}\n\nHello\n`, {})).map(({ kind }) => kind),
        ['ignored'],
        head,
      );
    }
  });

  it('is shown as it is: no quotes around the name, none that is the address, and a warning of another one (C12)', async () => {
    const nameOf = async (from: string) => (await read(`From: ${from}`)).sender.name;
    assert.equal(await nameOf(`"'Olena'" <o@shop.test>`), 'Olena');
    assert.equal(await nameOf('"O@Shop.test" <o@shop.test>'), undefined);
    const spoofed = await read('From: "ceo@corp.test" <eve@evil.test>');
    assert.deepEqual(
      spoofed.sender.identifiers.map(({ value }) => value),
      ['eve@evil.test'],
    );
    assert.match(spoofed.fields.remarks!, /the name contains another address/);
    assert.equal((await read('From: "o@shop.test" <o@shop.test>')).fields.remarks, undefined);
  });

  describe('who is a colleague', () => {
    const settings = { ...AUTH, agents: ['@example.com', 'max@home.test'] };
    const proven = (domain: string) => `Authentication-Results: mx.example.com; dmarc=pass header.from=${domain}`;

    it('gives an answer from his own program, when our server proves it', async () => {
      for (const [from, domain] of [
        ['Anna <anna@example.com>', 'example.com'],
        ['MAX@home.test', 'home.test'],
      ]) {
        assert.equal((await read(`${proven(domain!)}\nFrom: ${from}`, settings)).direction, 'outbound', from);
      }
      assert.equal((await read(`${proven('home.test')}\nFrom: eva@home.test`, settings)).direction, 'inbound');
      assert.equal((await read(`${proven('notexample.com')}\nFrom: a@notexample.com`, settings)).direction, 'inbound');
    });

    it('and nothing more than anybody where it doesn’t (C28, D03)', async () => {
      for (const head of ['', 'Authentication-Results: mx.example.com; dmarc=fail header.from=example.com\n']) {
        const { direction, sender, fields } = await read(`${head}From: anna@example.com`, settings);
        assert.deepEqual([direction, sender.identifiers[0]!.trust], ['inbound', 'observed']);
        assert.match(fields.remarks!, /nothing proves that a colleague wrote it/);
      }
    });

    it('becomes no customer when he writes of something we don’t know', async () => {
      const filing = await openFiling({
        threads: 'topic',
        channel: { normalize: (payload) => itemsIn(payload.body.toString('latin1'), settings) },
      });
      try {
        const mail = Buffer.from(`${proven('example.com')}\nFrom: anna@example.com\nSubject: Lunch\n\nHello\n`);
        const payload = { endpointId: 'mail', receivedAt: filing.clock.now(), method: 'STREAM', url: '', headers: {} };
        assert.deepEqual(
          (await filing.intake.receive({ ...payload, body: mail })).items.map(({ outcome }) => outcome),
          ['ignored'],
        );
        assert.equal((await filing.store.read.customers({}, { limit: 5 })).data.length, 0);
      } finally {
        await filing.close();
      }
    });
  });

  describe('whom a form names', () => {
    const forms = [{ from: '@program.test', subject: 'new order', email: 'E-mail', name: 'Name', phone: 'Phone' }];
    const body = 'A new order!\n\n* Name: Olena\nE-mail:\n  olena@shop.test\nPhone = 067 123 45 67\nTotal: 12';

    it('is found by the labels of its rule, as a claim', async () => {
      const { sender, automatic } = await read(
        'From: shop@program.test\nSubject: New Order 12\nAuto-Submitted: auto-generated',
        { forms },
        body,
      );
      assert.equal(sender.name, 'Olena');
      assert.deepEqual(sender.identifiers, [
        { kind: 'email', value: 'olena@shop.test', trust: 'claimed' },
        { kind: 'phone', value: '067 123 45 67', trust: 'claimed' },
      ]);
      assert.equal(automatic, undefined, 'a person filled it in');
    });

    it('is never proven, though the program is', async () => {
      const { sender } = await read(
        'Authentication-Results: mx.example.com; dmarc=pass header.from=program.test\nFrom: shop@program.test\nSubject: New order',
        { ...AUTH, forms },
        body,
      );
      assert.ok(sender.identifiers.every(({ trust }) => trust === 'claimed'));
    });

    it('shares no keys with the domain that he only says he is of', async () => {
      const keys = { forms, subjectKeys: [{ pattern: 'SHOP-{number}', from: '@shop.test' }] };
      const typed = await read('From: shop@program.test\nSubject: New order SHOP-12', keys, body);
      const sent = await read('From: anna@shop.test\nSubject: SHOP-12', keys);
      assert.equal(sent.thread?.externalId, '@shop.test key shop-12');
      assert.notEqual(typed.thread?.externalId, sent.thread?.externalId);
    });

    it('is looked for in the mail of its program only', async () => {
      for (const head of [
        'From: eve@evil.test\nSubject: New order',
        'From: shop@program.test\nSubject: Invoice',
        'From: a@program.test.evil.test\nSubject: New order',
      ]) {
        const { sender } = await read(head, { forms }, body);
        assert.equal(sender.identifiers[0]!.trust, 'observed', head);
      }
    });

    it('may stand in Reply-To; where nobody is found, it is the program, with a remark', async () => {
      const byReply = [{ from: 'shop@program.test' }];
      const { sender } = await read('From: shop@program.test\nReply-To: Olena <olena@shop.test>', { forms: byReply });
      assert.deepEqual(sender, {
        name: 'Olena',
        identifiers: [{ kind: 'email', value: 'olena@shop.test', trust: 'claimed' }],
      });
      const nobody = await read('From: shop@program.test\nSubject: New order', { forms }, 'Nothing');
      assert.equal(nobody.sender.identifiers[0]!.value, 'shop@program.test');
      assert.match(nobody.fields.remarks!, /whose rule finds no person/);
    });
  });

  it('gives no orders by headers of help desks, nor by those that our own readers use (C30)', async () => {
    const plain = await read('From: o@shop.test\nMessage-ID: <x@shop.test>');
    const orders = [
      'X-Priority-Queue: vip',
      'X-OTRS-Queue: VIP',
      'X-Zammad-Customer: boss',
      'X-GM-Labels: "\\\\Sent"',
      'X-IMAP-Size: 9',
      'X-SMTP-Mail-From: <>',
      'X-Tributary-Ticket: 1',
    ];
    assert.deepEqual(await read(`From: o@shop.test\nMessage-ID: <x@shop.test>\n${orders.join('\n')}`), plain);
    const [ours] = await itemsIn(`From: support@example.com\n${orders.join('\n')}\n\nHello\n`, {});
    assert.equal(ours?.kind, 'ignored', 'nor is it taken for an answer that we sent');
  });
});
