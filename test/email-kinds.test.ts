import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { messageIdFor } from '../src/core/mail-address.ts';
import { automaticOf } from '../src/connectors/email/automatic.ts';
import { itemsOf } from '../src/connectors/email/envelope.ts';
import type { Mail } from '../src/connectors/email/mail.ts';
import readMail from '../src/connectors/email/read-worker.ts';
import { rules } from '../src/connectors/email/rules.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import { corpus, hasCorpus } from './fakes/mail-corpus.ts';
import { skipUnless } from './skip.ts';

const OWN = ['support@example.com'];
const read = async (mail: string | Uint8Array) =>
  (await readMail({ bytes: typeof mail === 'string' ? new Uint8Array(Buffer.from(mail)) : mail })) as Mail;
const kindOf = async (mail: string | Uint8Array) => automaticOf(await read(mail), undefined, OWN) ?? 'person';

async function itemOf(mail: string, settings: object = {}, headers: Record<string, string> = {}): Promise<ItemInput> {
  const { authServer, ...given } = z.object(rules).parse(settings);
  const payload = { endpointId: 'mail', receivedAt: Date.UTC(2026, 0, 31), method: 'STREAM', url: '', headers };
  const known = { ...given, authServer, addresses: OWN };
  const items = itemsOf(await read(mail), { ...payload, body: Buffer.from(mail) }, known);
  assert.equal(items.length, 1);
  return items[0]!;
}

const OUR_ID = messageIdFor({ number: 1001, proof: '0123456789abcdefghijklmnop' }, 'rpl-1', OWN[0]!);
const OLDER_ID = messageIdFor({ number: 1001, proof: '0123456789abcdefghijklmnop' }, 'rpl-0', OWN[0]!);

/** A report as RFC 3464 has it. */
const report = (
  status: string,
  more = '',
  returned = `Message-ID: <${OUR_ID}>\nReferences: <${OLDER_ID}>\nSubject: Re: Order`,
) =>
  `From: Mail Delivery System <MAILER-DAEMON@mx.test>
Subject: Undelivered Mail Returned to Sender
${more}Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.test

${status}
--b
Content-Type: message/rfc822

${returned}

Hello
--b--
`;

const FAILED = `Final-Recipient: rfc822; olena@shop.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <olena@shop.test>:
 no such user`;

describe('what machines write', () => {
  describe('a bounce', () => {
    it('marks the answer that it returns as failed, with the address and the server’s words', async () => {
      assert.deepEqual(await itemOf(report(FAILED)), {
        kind: 'receipt',
        externalId: OUR_ID,
        state: 'failed',
        occurredAt: Date.UTC(2026, 0, 31),
        reason: 'olena@shop.test: 550 5.1.1 <olena@shop.test>: no such user',
      });
    });

    it('is read however the server writes it', async () => {
      const head = 'From: MAILER-DAEMON\nSubject: failure notice\n';
      const written = {
        'only the head is returned': report(FAILED).replace('message/rfc822', 'text/rfc822-headers'),
        'the id stands in the report': report(`Original-Message-ID: <${OUR_ID}>\n${FAILED}`, '', 'Subject: x'),
        'the id stands in the text': `${head}\n<olena@shop.test>: 550 no such user\n\nMessage-Id: <${OUR_ID}>\n`,
        'the text quotes the head': `${head}\nolena@shop.test 550 no\n\n> From: us\n> Message-ID: <${OUR_ID}>\n`,
        'the bounce answers it': `${head}In-Reply-To: <${OUR_ID}>\n\nolena@shop.test: 550 no such user\n`,
        'the bounce refers to it': `${head}References: <${OLDER_ID}> <${OUR_ID}>\n\n550 no such user\n`,
      };
      for (const [how, mail] of Object.entries(written)) {
        const item = await itemOf(mail);
        assert.equal(item.kind, 'receipt', how);
        assert.deepEqual([item.externalId, item.state], [OUR_ID, 'failed'], how);
        assert.match(item.reason ?? '', /550/, how);
      }
    });

    it('that only says that it takes longer, or that it arrived, is no failure', async () => {
      const late = await itemOf(report(FAILED.replace('failed', 'delayed').replace('5.1.1', '4.4.1')));
      assert.equal(late.kind === 'message' && late.quiet, true);
      assert.equal(late.kind === 'message' && late.thread?.ticket?.number, 1001, 'its ticket shows it');
      const written = 'From: MAILER-DAEMON\nSubject: Warning: message delayed 24 hours\n\n';
      assert.equal((await itemOf(`${written}Message-ID: <${OUR_ID}>\n`)).kind, 'message');
      for (const action of ['delivered', 'relayed', 'expanded']) {
        const item = await itemOf(report(FAILED.replace('failed', action).replace('5.1.1', '2.0.0')));
        assert.equal(item.kind === 'receipt' && item.state, 'delivered', action);
      }
    });

    it('tells of the one that failed where several got it', async () => {
      const item = await itemOf(
        report(`${FAILED.replace('failed', 'delivered').replaceAll('olena', 'ivan')}\n\n${FAILED}`),
      );
      assert.match(item.kind === 'receipt' ? item.reason! : '', /^olena@shop\.test/);
    });

    it('of a mail that isn’t ours belongs to no answer', async () => {
      const item = await itemOf(report(FAILED, '', 'Message-ID: <x@elsewhere.test>'));
      assert.deepEqual(item.kind === 'message' && [item.automatic, item.quiet], ['bounce', true]);
    });
  });

  it('a read receipt says that our answer was read, unless it was thrown away', async () => {
    const mdn = (disposition: string) => `From: Olena <olena@shop.test>
Subject: Read: Order
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b

Read.
--b
Content-Type: message/disposition-notification

Final-Recipient: rfc822;olena@shop.test
Original-Message-ID: <${OUR_ID}>
Disposition: manual-action/MDN-sent-manually; ${disposition}

--b--
`;
    const item = await itemOf(mdn('displayed'));
    assert.deepEqual(item.kind === 'receipt' && [item.externalId, item.state], [OUR_ID, 'read']);
    assert.equal((await itemOf(mdn('deleted'))).kind, 'message');
    const forms = [{ from: 'olena@shop.test' }];
    const filledIn = mdn('displayed').replace('\n', '\nReply-To: ivan@example.test\n');
    assert.equal((await itemOf(filledIn, { forms })).kind, 'message', 'who fills in a form is no machine');
  });

  it('a complaint is shown in the ticket whose answer it is about', async () => {
    const item = await itemOf(`From: fbl@provider.test
Subject: abuse
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b

A complaint.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
--b
Content-Type: message/rfc822

Message-ID: <${OUR_ID}>

--b--
`);
    assert.equal(item.kind, 'message');
    if (item.kind !== 'message') return;
    assert.deepEqual([item.automatic, item.quiet, item.thread?.ticket?.number], ['complaint', true, 1001]);
  });

  const HEADERS = 'From: olena@shop.test\nSubject: Order\n';
  const kinds: readonly (readonly [string, string, string])[] = [
    ['auto_reply', 'Auto-Submitted: auto-replied', 'says so'],
    ['auto_reply', 'Auto-Submitted: auto-replied (vacation)', 'says so, with a comment'],
    ['auto_reply', 'Precedence: auto_reply', 'says so as programs did before'],
    ['auto_reply', 'X-Precedence: auto-reply', 'says so as programs did that may not say Precedence'],
    ['auto_reply', 'X-Autoreply: yes', 'says so in a header of its own'],
    ['auto_reply', 'X-Autorespond: Order', 'names what it responds to'],
    ['auto_reply', 'X-Autoresponse: yes', 'calls itself a response'],
    ['auto_reply', 'X-Auto-Reply-From: o@shop.test', 'names whom it replies for'],
    ['auto_reply', 'X-Apple-Action: VACATION/1.0', 'is an action of a mailbox whose owner is away'],
    ['auto_reply', 'Return-Path: <>\nIn-Reply-To: <x@y>', 'has no sender and answers something'],
    ['notification', 'Return-Path: <>', 'has no sender'],
    ['notification', 'Auto-Submitted: auto-generated', 'was generated'],
    ['notification', 'X-Auto-Response-Suppress: OOF, AutoReply', 'wants no automatic answer'],
    ['notification', 'Precedence: bulk', 'says only that it is bulk, as help desks’ answers do'],
    ['notification', 'List-Unsubscribe: <https://shop.test/u>', 'can be unsubscribed from'],
    ['notification', 'Precedence: junk', 'says only that it is junk'],
    ['list', 'List-Id: <news.shop.test>', 'comes through a list'],
    ['list', 'Precedence: list', 'says only that it is a list’s'],
    ['list', 'Precedence: bulk\nList-Unsubscribe: <https://shop.test/u>', 'is bulk that can be unsubscribed from'],
    ['calendar', 'Content-Type: text/calendar; method=REQUEST', 'is an invitation'],
    ['person', 'Content-Type: text/calendar; method=PUBLISH', 'publishes a calendar'],
    ['person', 'Auto-Submitted: no', 'says that nobody’s program wrote it'],
    [
      'person',
      'List-Id: <support.example.com>\nList-Post: <mailto:support@example.com>\nPrecedence: list',
      'comes through our own group',
    ],
    ['person', 'X-Auto-Response-Suppress: DR, RN', 'only wants no receipts'],
  ];
  for (const [kind, lines, what] of kinds) {
    it(`that ${what} is ${kind}`, async () => {
      assert.equal(await kindOf(`${HEADERS}${lines}\n\nHello\n`), kind);
    });
  }

  const away: readonly (readonly [subject: string, text: string])[] = [
    ['Automatic reply: Order', 'Hello'],
    ['Автоматична відповідь: Замовлення', 'Дякую'],
    ['Автоответ: Заказ', 'Спасибо'],
    ['Abwesenheitsnotiz: Bestellung', 'Danke'],
    ['Réponse automatique : Commande', 'Merci'],
    ['Respuesta automática: Pedido', 'Gracias'],
    ['Automatyczna odpowiedź: Zamówienie', 'Dziękuję'],
    ['Automaattinen vastaus: Tilaus', 'Kiitos'],
    ['Out of office', 'I am out of the office until Monday.'],
    ['Відпустка', 'Я у відпустці до понеділка.'],
    ['Отпуск', 'Я в отпуске до понедельника.'],
    ['Abwesend bis Montag', 'Ich bin nicht im Büro.'],
    ['Absence', 'Je suis absent jusqu’à lundi.'],
    ['Fuera de la oficina', 'Estoy de vacaciones.'],
    ['Nieobecność', 'Jestem na urlopie.'],
  ];
  for (const [subject, text] of away) {
    it(`called “${subject}” is an automatic reply without any header of its own`, async () => {
      assert.equal(
        await kindOf(
          `From: o@shop.test\nIn-Reply-To: <x@example.com>\nSubject: =?utf-8?B?${Buffer.from(subject).toString('base64')}?=\nContent-Type: text/plain; charset=utf-8\n\n${text}\n`,
        ),
        'auto_reply',
      );
    });
  }

  it('is an automatic reply that doesn’t say what it answers, where its subject begins as only programs’ do', async () => {
    const called = (subject: string) => kindOf(`From: o@shop.test\nSubject: ${subject}\n\nHello\n`);
    assert.equal(await called('Automatic reply: Order'), 'auto_reply');
    assert.equal(await called('Automatic reply'), 'person', 'somebody may ask about it');
  });

  it('is not what people write about machines and their holidays', async () => {
    for (const [subject, text] of [
      ['Re: Automatic reply: Order', 'You were away, so once more: where is it?'],
      ['Automatic reply does not work', 'Please repair it.'],
      ['Out of office chairs?', 'Do you have any left?'],
      ['Order 4512', 'I am out of the office until Monday, please deliver it then.'],
      ['Відпустка', 'Чи працює магазин у свята?'],
      ['Mail delivery failed', 'I get this when I write to your shop. Why?'],
      ['Відсутня посилка', 'Добрий день, посилка досі відсутня.'],
      ['Отсутствует связь', 'Интернет отсутствует с утра.'],
      ['Urlaub auf Kreta', 'Was kostet eine Woche im Urlaub bei Ihnen?'],
      ['Absence de livraison', 'Le livreur était absent.'],
      ['Автоответчик', 'Как его выключить на вашем телефоне?'],
      ['Auto reply - how?', 'Where do I set it up?'],
    ]) {
      const encoded = `=?utf-8?B?${Buffer.from(subject!).toString('base64')}?=`;
      assert.equal(
        await kindOf(`From: o@shop.test\nSubject: ${encoded}\nContent-Type: text/plain; charset=utf-8\n\n${text}\n`),
        'person',
        subject,
      );
    }
    const courier = 'From: Mail Delivery Service <info@courier.test>\nSubject: ';
    assert.equal(await kindOf(`${courier}Our invoice\n\nPlease pay it.\n`), 'person');
    assert.equal(await kindOf(`${courier}Undelivered mail\n\nNo such user.\n`), 'bounce');
    assert.equal(
      await kindOf('From: Max <postmaster@shop.test>\nSubject: Our invoice\n\nPlease send it again.\n'),
      'person',
    );
  });

  it('is told by the sender that its server named, whatever the mail says of itself', async () => {
    const kindFrom = async (sender: string, lines: string) => {
      const item = await itemOf(`${HEADERS}${lines}\nHello\n`, {}, { 'x-smtp-mail-from': sender });
      return item.kind === 'message' && item.automatic;
    };
    assert.equal(await kindFrom('', ''), 'notification');
    assert.equal(await kindFrom('', 'Return-Path: <olena@shop.test>\nIn-Reply-To: <x@y>\n'), 'auto_reply');
    assert.equal(await kindFrom('olena@shop.test', 'Return-Path: <>\n'), undefined);
  });

  it('opens tickets for the kinds that the settings name, and for programs’ own mail by default', async () => {
    const list = `${HEADERS}List-Id: <news.shop.test>\n\nNews\n`;
    const quiet = (item: ItemInput) => item.kind === 'message' && item.quiet === true;
    assert.equal(quiet(await itemOf(list)), true);
    assert.equal(quiet(await itemOf(list, { ticketsFrom: ['list'] })), false);
    const shop = `${HEADERS}Auto-Submitted: auto-generated\n\nAn order\n`;
    assert.equal(quiet(await itemOf(shop)), false);
    assert.equal(quiet(await itemOf(shop, { ticketsFrom: [] })), true);
  });
});

const BOUNCES = join(import.meta.dirname, '../../shared/fixtures/email-bounce-autoreply');
const Expected = z.record(z.string(), z.array(z.object({ reason: z.string(), status: z.string() })));

/** Mails of email-mime that machines wrote, read one by one; all others are ordinary. */
const MACHINES: Readonly<Record<string, readonly string[]>> = {
  'chatwoot-eml': [
    'auto_reply.eml',
    'auto_reply_with_auto_submitted.eml',
    'bounced_gmail.eml',
    'bounced_with_no_from.eml',
    'non_utf_encoded_mail.eml',
  ],
  'mikel-mail': [
    'error_emails/bad_date_header.eml',
    'error_emails/empty_in_reply_to.eml',
    'mime_emails/raw_email_with_mimepart_without_content_type.eml',
    'multipart_report_emails/multi_address_bounce1.eml',
    'multipart_report_emails/multi_address_bounce2.eml',
    'multipart_report_emails/multipart_report_multiple_status.eml',
    'multipart_report_emails/report_422.eml',
    'multipart_report_emails/report_530.eml',
  ],
  'nodemailer-mailparser': ['delivery-status.eml'],
  'php-mime-mail-parser': ['failure.eml', 'issue212', 'm0015', 'm0020'],
  'postal-mime': ['arf.eml', 'bounce.eml', 'calendar-event.eml'],
  'stalwart-mail-parser': ['thirdparty/014.eml'],
  'webklex-php-imap': ['1366671050@github.com.eml', 'example_bounce.eml', 'issue-382.eml', 'issue-462.eml'],
};

describe('Machines’ mail of other projects', () => {
  it('is recognised, at least 99 of 100', async function () {
    skipUnless(this, existsSync(BOUNCES), `no mails in ${BOUNCES}`);
    const home = join(BOUNCES, 'sisimai-set-of-emails');
    const expected = Expected.parse(JSON.parse(readFileSync(join(home, 'expected.json'), 'utf8')));
    const wrong: string[] = [];
    let states = { right: 0, all: 0 };
    const there = Object.entries(expected).filter(([name]) => existsSync(join(home, name)));
    for (const [name, recipients] of there) {
      const reasons = recipients.map(({ reason }) => reason);
      const wanted = reasons.includes('vacation')
        ? 'auto_reply'
        : reasons.includes('feedback')
          ? 'complaint'
          : 'bounce';
      const bytes = new Uint8Array(readFileSync(join(home, name)));
      const kind = await kindOf(bytes);
      if (kind !== wanted) wrong.push(`${name}: ${kind}, not ${wanted}`);
      // Those of theirs with a third figure of three digits are not the server's.
      const stated = recipients.map(({ status }) => status).filter((status) => /^[245]\.\d\.\d{1,2}$/.test(status));
      if (wanted !== 'bounce' || stated.length === 0) continue;
      const { report: found } = await read(bytes);
      states = { right: states.right + Number(stated.includes(found.status)), all: states.all + 1 };
    }
    const ordinary = join(BOUNCES, 'rails-actionmailbox');
    const people = readdirSync(ordinary).filter((name) => name.endsWith('.eml'));
    for (const name of people) {
      const kind = await kindOf(new Uint8Array(readFileSync(join(ordinary, name))));
      if (kind !== 'person') wrong.push(`${name}: ${kind}, not person`);
    }
    const all = there.length + people.length;
    assert.ok(all >= 300, `only ${all} mails`);
    console.log(`      ${all - wrong.length} of ${all}; status ${states.right} of ${states.all}; ${wrong.join('; ')}`);
    assert.ok(wrong.length <= all * 0.01, wrong.join('\n'));
    assert.ok(states.right >= states.all * 0.95, `${states.right} of ${states.all}`);
  });

  it('is hardly ever what people wrote: at most 1 of 100', async function () {
    skipUnless(this, hasCorpus, 'no mails of other projects');
    const machines = new Set(
      Object.entries(MACHINES).flatMap(([home, names]) => names.map((name) => `${home}/${name}`)),
    );
    const taken: string[] = [];
    let ordinary = 0;
    for (const { id, bytes } of corpus()) {
      const kind = await kindOf(bytes);
      if (machines.delete(id)) assert.notEqual(kind, 'person', id);
      else {
        ordinary += 1;
        if (kind !== 'person') taken.push(`${id}: ${kind}`);
      }
    }
    assert.deepEqual([...machines], [], 'are no longer there');
    console.log(`      ${taken.length} of ${ordinary} ordinary mails taken for machines`);
    assert.ok(taken.length <= ordinary * 0.01, taken.join('\n'));
  });
});
