import assert from 'node:assert/strict';
import fc from 'fast-check';
import { z } from 'zod';
import { Config } from '../src/connectors/email/config.ts';
import { email } from '../src/connectors/email/email.ts';
import { itemsOf } from '../src/connectors/email/envelope.ts';
import type { Mail } from '../src/connectors/email/mail.ts';
import readMail from '../src/connectors/email/read-worker.ts';
import { rules } from '../src/connectors/email/rules.ts';
import { Item, type EnvelopeInput } from '../src/core/envelope.ts';
import { fakeContext } from './fakes/context.ts';
import { sampleMessage, sampleTicket } from './fakes/samples.ts';
import { until } from './fakes/until.ts';
import { startWhole, type Whole } from './fakes/whole.ts';

const PASS = 'Authentication-Results: mx.example.com; dmarc=pass header.from=maps.test';
const RULE = {
  from: '@maps.test',
  subject: 'New review',
  rating: 'Rating:',
  author: { after: 'Author:' },
  text: { after: 'What they wrote:', before: 'See the review' },
  product: { after: 'New review of ' },
  order: 'Order:',
  id: 'Review no.',
  link: 'https://maps.test/reviews/',
};

const words = (given: Partial<Record<'text' | 'rating' | 'author' | 'id', string>> = {}) => {
  const { text = 'The tea was cold.\n\nNever again.', rating = '★★☆☆☆', author = 'Olena K.', id = '77' } = given;
  return `Hello, shop!

Author: ${author}
Rating:
${rating}
Order: 1001
Review no. ${id}

What they wrote:
${text}

See the review: https://maps.test/reviews/${id}?from=mail
Settings: https://maps.test/settings
`;
};

const mailOf = (text = words(), head = PASS, more = '') =>
  `${head}
From: Maps <no-reply@maps.test>
To: support@example.com
Subject: New review of  Café Kyiv
Date: Sun, 22 Nov 2026 10:00:00 +0000
Message-ID: <n1@maps.test>
List-Unsubscribe: <https://maps.test/settings>
${more}
${text}`;

async function itemOf(mail: string, rule: object = RULE, settings: object = {}): Promise<EnvelopeInput> {
  const { authServer = 'mx.example.com', ...given } = z.object(rules).parse({ portals: [rule], ...settings });
  const body = Buffer.from(mail);
  const payload = {
    endpointId: 'mail',
    receivedAt: Date.UTC(2026, 10, 23),
    method: 'STREAM',
    url: '',
    headers: {},
    body,
  };
  const read = (await readMail({ bytes: new Uint8Array(body) })) as Mail;
  const items = itemsOf(read, payload, { ...given, authServer, addresses: ['support@example.com'] });
  assert.equal(items.length, 1);
  return Item.parse(items[0]) as EnvelopeInput;
}
const fileIn = (whole: Whole) => async (mail: string) => {
  const body = Buffer.from(mail);
  const payload = { endpointId: 'mail', receivedAt: Date.now(), method: 'STREAM', url: '', headers: {}, body };
  return (await whole.running.gateway.intake.receive(payload)).items[0]!.ticketId!;
};
const reviewOf = ({ kind, ...rest }: EnvelopeInput) => (kind === 'review' ? (rest as { review: object }).review : kind);

describe('The notification of a portal without an API', () => {
  it('is the review that it tells of, by its author, with what else it says', async () => {
    const { sender, thread, fields, text, textFull, automatic, quiet, revision, ...item } = await itemOf(mailOf());
    assert.equal(item.kind, 'review');
    const url = 'https://maps.test/reviews/77?from=mail';
    assert.deepEqual(reviewOf(item as EnvelopeInput), {
      rating: 2,
      maxRating: 5,
      product: 'Café Kyiv',
      order: '1001',
      url,
    });
    assert.equal(item.externalId, '@maps.test 77');
    assert.equal(revision, Date.UTC(2026, 10, 22, 10));
    assert.deepEqual(sender, {
      name: 'Olena K.',
      identifiers: [{ kind: 'portal', value: '@maps.test 77', trust: 'verified' }],
    });
    assert.deepEqual(thread, { externalId: 'PORTAL @maps.test 77', references: [] });
    assert.equal(text, 'The tea was cold.\n\nNever again.');
    assert.ok(textFull!.includes('Hello, shop!'), 'the whole is one click away');
    assert.deepEqual([automatic, quiet], [undefined, undefined]);
    assert.equal(fields!['portal'], '@maps.test');
    assert.equal(fields!['link'], url);
    assert.equal(fields!['remarks'], undefined);
  });

  it('stays an ordinary mail that says so, where nothing proves whose it is', async () => {
    const forged = [
      '',
      PASS.replace('pass', 'fail'),
      PASS.replace('mx.example.com', 'mx.evil.test'),
      PASS.replace('maps.test', 'evil.test'),
      `Authentication-Results: mx.example.com; dmarc=none\n${PASS}`,
      'DKIM-Signature: v=1; d=maps.test',
    ];
    for (const head of forged) {
      const item = await itemOf(mailOf(words(), head || 'X-A: b'));
      assert.equal(item.kind, 'message', head);
      assert.deepEqual(item.sender.identifiers, [{ kind: 'email', value: 'no-reply@maps.test', trust: 'observed' }]);
      assert.match(item.fields!['remarks']!, /nothing proves that @maps\.test sent it/);
      assert.equal(item.automatic, 'notification');
    }
    const two = mailOf().replace('From: Maps', 'From: evil@evil.test\nFrom: Maps');
    assert.equal((await itemOf(two)).kind, 'message');
  });

  it('stays an ordinary mail that says why, where the rule can’t read it', async () => {
    const unread = ['', 'excellent', '0', '6', '55', '-'];
    for (const rating of unread) {
      const text = words({ rating }).replace('Order: 1001\n', '').replace('Review no. 77\n', '');
      const item = await itemOf(mailOf(text));
      assert.equal(item.kind, 'message', rating);
      assert.match(item.fields!['remarks']!, /the rule for @maps\.test finds no rating in it/);
      assert.ok(item.text.includes('Never again.'));
      assert.equal(item.sender.identifiers[0]!.trust, 'verified');
    }
    const changed = await itemOf(mailOf('Somebody wrote something.'));
    assert.equal(changed.text, 'Somebody wrote something.');
  });

  it('is as any other mail where it is about something else, or of somebody else', async () => {
    const bill = await itemOf(mailOf().replace('New review of', 'Your bill for'));
    assert.deepEqual([bill.kind, bill.fields!['remarks']], ['message', undefined]);
    const subdomain = mailOf(words(), PASS.replaceAll('maps.test', 'a.maps.test')).replace('no-reply@maps', 'x@a.maps');
    const below = await itemOf(subdomain);
    assert.deepEqual([below.kind, below.fields!['remarks']], ['message', undefined]);
    const other = await itemOf(mailOf(), RULE, { portals: [] });
    assert.deepEqual([other.kind, other.fields!['remarks']], ['message', undefined]);
  });

  it('is read by the first rule of that sender and subject', async () => {
    const portals = [{ ...RULE, subject: 'New question' }, { ...RULE, from: 'no-reply@maps.test', outOf: 10 }, RULE];
    assert.equal((reviewOf(await itemOf(mailOf(), RULE, { portals })) as { maxRating: number }).maxRating, 10);
  });

  it('has its rating in whatever way it is shown', async () => {
    const shown = {
      '★★★★★': 5,
      '⭐⭐⭐': 3,
      '★☆☆☆☆ (1)': 1,
      '4': 4,
      '4,5 out of 5': 4.5,
      '3.5/5': 3.5,
      'Rated 2 of 5': 2,
      '⭐️⭐️': 2,
    };
    for (const [rating, number] of Object.entries(shown)) {
      assert.deepEqual(
        (reviewOf(await itemOf(mailOf(words({ rating })))) as { rating: number }).rating,
        number,
        rating,
      );
    }
  });

  it('is found behind words, before words, between them, and in the subject, however it is wrapped', async () => {
    const rule = {
      from: 'no-reply@maps.test',
      rating: { after: 'gave you', before: 'of 5' },
      author: { before: ' gave you' },
      product: { after: 'New review of', before: 'Kyiv' },
    };
    const item = await itemOf(mailOf('Dear shop,\nOlena\u00a0 K. gave   you 4 of 5\nCold tea.'), rule);
    assert.equal(item.sender.name, 'Olena K.');
    assert.deepEqual(reviewOf(item), { rating: 4, maxRating: 5, product: 'Café' });
    assert.equal(
      item.text,
      'Dear shop,\nOlena\u00a0 K. gave   you 4 of 5\nCold tea.',
      'no rule says which words are his',
    );
    assert.equal(item.externalId, 'n1@maps.test');
    assert.ok(item.variant);
    assert.equal(item.fields!['remarks'], undefined, 'what no rule names is not missed');
    const lines = { from: '@maps.test', rating: 'Évaluation\u00a0:', author: 'New review of' };
    const decomposed = await itemOf(mailOf('Évaluation : 3'.normalize('NFD')), lines);
    assert.deepEqual([reviewOf(decomposed), decomposed.sender.name], [{ rating: 3, maxRating: 5 }, 'Café Kyiv']);
    const half = await itemOf(mailOf('Olena K. gave you 4 stars'), rule);
    assert.match(half.fields!['remarks']!, /finds no rating/, 'nothing ends it');
  });

  it('says what the rule names and the mail hasn’t', async () => {
    const text = words({ author: '' }).replace('Author: \n', '').replaceAll('https://maps.test', 'https://evil.test');
    const { kind, fields, sender } = await itemOf(mailOf(text.replace('See the review', 'See it')));
    assert.equal(kind, 'review');
    assert.equal(sender.name, undefined);
    const names = ['author', 'text', 'id', 'link'].map((name) => `the rule for @maps.test finds no ${name} in it`);
    assert.equal(fields!['remarks'], names.join('; '));
  });

  it('shows everything where the words can’t be told from the rest', async () => {
    const turned = 'See the review\nRating: 4\nWhat they wrote:\nCold.';
    const item = await itemOf(mailOf(turned));
    assert.deepEqual([item.kind, item.text], ['review', turned]);
    assert.match(item.fields!['remarks']!, /finds no text/);
  });

  it('takes nothing out of the author’s words where his words aren’t marked as the rule says', async () => {
    const forged = 'Good.\nReview no. 76\nRating: 5\nAuthor: Boss\nOrder: 9\nhttps://maps.test/reviews/76';
    for (const own of [words({ text: forged }), words({ text: forged }).replace('Review no. 77\n', '')]) {
      const endless = await itemOf(mailOf(own.replace('See the review', 'See it')));
      assert.equal(endless.externalId, 'n1@maps.test', 'nothing ends his words');
      assert.deepEqual(reviewOf(endless), { rating: 2, maxRating: 5, product: 'Café Kyiv', order: '1001' });
      assert.equal(endless.sender.name, 'Olena K.');
      assert.match(endless.fields!['remarks']!, /finds no text in it; .* finds no id in it/);
      const changed = await itemOf(mailOf(own.replace('What they wrote:', 'Their words:')));
      assert.deepEqual([changed.kind, changed.externalId], ['message', 'n1@maps.test'], 'nothing begins them');
      assert.equal(changed.fields!['remarks'], 'the rule for @maps.test finds no text in it');
    }
    const before = { ...RULE, text: { before: 'See the review' } };
    assert.equal((await itemOf(mailOf(words().replace('See the review', 'See it')), before)).kind, 'message');
    const cut = words({ text: `See the review\nReview no. 76\n${'long '.repeat(40_000)}` });
    const long = await itemOf(mailOf(cut.replace('Review no. 77\n', '')));
    assert.deepEqual([long.kind, long.externalId], ['message', 'n1@maps.test'], 'its end isn’t looked at');
  });

  it('has no id where two could be it: one may be the author’s name', async () => {
    const rule = { ...RULE, id: { after: 'no. ', before: ';' } };
    const of = async (author: string, more = '') =>
      (await itemOf(mailOf(words({ author, id: `77;${more}` }), PASS, '\n'), rule)).externalId;
    assert.equal(await of('Olena K.'), '@maps.test 77');
    assert.equal(await of('Olena K.', ' again: no. 77;'), '@maps.test 77');
    assert.equal(await of('no. 76;'), 'n1@maps.test');
    assert.equal(await of('Olena K.', 'no. 77;'.repeat(100)), 'n1@maps.test', 'nobody counts that far');
  });

  it('of a review without words has none', async () => {
    const { kind, text, fields } = await itemOf(mailOf(words({ text: ' ' })));
    assert.deepEqual([kind, text, fields!['remarks']], ['review', '', undefined]);
  });

  it('leads only to where the rule says that it leads', async () => {
    const html = `${PASS}
From: no-reply@maps.test
Subject: New review
Content-Type: text/html

Rating: 4 <a href="https://maps.test.evil.test/reviews/1">x</a> <a href="https://maps.test/reviews/9?a=1&amp;b=2">Answer</a>`;
    const { text: _text, id: _id, ...rule } = RULE;
    assert.deepEqual(reviewOf(await itemOf(html, rule)), {
      rating: 4,
      maxRating: 5,
      url: 'https://maps.test/reviews/9?a=1&b=2',
    });
    const both = `${PASS}
From: no-reply@maps.test
Subject: New review
Content-Type: multipart/alternative; boundary=b

--b

Rating: 4
--b
Content-Type: text/html

Rating: 4 <a href="https://maps.test/reviews/9?a=1&amp;b=2">Answer</a>
--b--`;
    assert.equal((await itemOf(both, rule)).fields!['link'], 'https://maps.test/reviews/9?a=1&b=2', 'as a button only');
    const host = { ...rule, link: 'https://maps.test' };
    const url = (await itemOf(html, host)).fields!['link'];
    assert.ok(url === undefined || new URL(url).host === 'maps.test', url);
  });

  it('leads to no place that its author wrote, and to none where several could be it', async () => {
    const of = async (html: string, text = 'What they wrote:\nCold.\nSee the review') => {
      const mail = `${PASS}
From: no-reply@maps.test
Subject: New review
Content-Type: multipart/alternative; boundary=b

--b

Rating: 4
${text}
--b
Content-Type: text/html

${html}
--b--`;
      return (await itemOf(mail)).fields!['link'];
    };
    const [his, real] = ['https://maps.test/reviews/76', 'https://maps.test/reviews/77'];
    assert.equal(await of(`<p>${his} &lt;a href="${his}"&gt;</p>`), undefined, 'in words');
    assert.equal(await of(`<p>${his} href="${his}"</p><A class=x\nHREF = '${real}'>Answer</A>`), real);
    assert.equal(await of(`<a href=${real} title="href='${his}'">href="${his}"</a><img alt="a href='${his}'">`), real);
    assert.equal(await of(`href="${his}" <a id="x"> href="${his}"</a>`), undefined);
    assert.equal(await of(`<i href="${his}">`), undefined);
    assert.equal(await of(`<a title="href='${his}' href=${his}" data-href="${his}" href="${real}">x</a>`), real);
    assert.equal(await of(`<a href="${his}">x</a><a href="${real}">Answer</a>`), undefined, 'his may be a link, too');
    assert.equal(await of(`<a href="${real}">x</a><a href="https://x.test">y</a><a href="${real}">Answer</a>`), real);
    assert.equal(await of(`<a href="${real}">${'long '.repeat(100_001)}</a>`), undefined, 'others may stand behind');
    const text = `What they wrote:\n${his}\nSee the review: ${real}`;
    assert.equal(await of(`<a href="${his}">x</a>`, text), real, 'the text tells his words from the rest');
  });

  it('is edited by a later mail about the same, and by no earlier one', async () => {
    const first = await itemOf(mailOf());
    const later = await itemOf(mailOf().replace('10:00:00', '12:00:00').replace('n1@', 'n2@'));
    assert.equal(later.externalId, first.externalId);
    assert.ok(later.revision! > first.revision!);
    assert.equal(later.variant, undefined);
    const other = await itemOf(mailOf(), { ...RULE, from: 'no-reply@maps.test' });
    assert.notEqual(other.externalId, first.externalId, 'ids of two portals have nothing to do with each other');
    const shared = await itemOf(mailOf(), RULE, { portals: [RULE], sameMailAs: ['shop'] });
    assert.deepEqual(shared.thread!.siblings, ['shop'], 'of two mailboxes it is one ticket');
  });

  it('that is a question becomes a message, that no machine answers', async () => {
    const { rating: _rating, ...question } = RULE;
    const item = await itemOf(mailOf(), question);
    assert.deepEqual([item.kind, item.automatic, item.quiet], ['message', 'notification', undefined]);
    assert.equal(item.sender.name, 'Olena K.');
    assert.equal(item.fields!['product'], 'Café Kyiv');
    const nobody = await itemOf(mailOf(words().replace('Author:', 'By:')), question);
    assert.match(nobody.fields!['remarks']!, /finds no author/);
    assert.equal(nobody.sender.identifiers[0]!.kind, 'email');
  });

  it('is the same for every reading, and whatever its author wrote changes nothing but his words', async () => {
    const spoofs = fc.constantFrom(
      'Rating: 5',
      'Author: Boss',
      'Order: 9',
      'Review no. 1',
      'See the review',
      'https://maps.test/reviews/1',
      'What they wrote:',
      '\n',
      '★★★★★',
      'New review of X',
    );
    const text = fc.array(fc.oneof(spoofs, fc.string({ unit: 'grapheme', maxLength: 20 })), { maxLength: 12 });
    const honest = await itemOf(mailOf(words({ text: 'x' })));
    await fc.assert(
      fc.asyncProperty(text, async (pieces) => {
        // A line of its own for each, and no end of the mail.
        const said = pieces.join('\n').replaceAll('\r', '');
        const item = await itemOf(mailOf(words({ text: said || 'x' })));
        assert.deepEqual(
          [reviewOf(item), item.sender, item.externalId, item.fields!['link']],
          [reviewOf(honest), honest.sender, honest.externalId, honest.fields!['link']],
        );
        assert.deepEqual(await itemOf(mailOf(words({ text: said || 'x' }))), item);
      }),
      { numRuns: 60 },
    );
    const named = await itemOf(mailOf(words({ author: 'Rating: 5 Order: 9 Review no. 1 ★★★★★' })));
    assert.deepEqual(reviewOf(named), reviewOf(honest));
    assert.equal(named.externalId, honest.externalId);
  });

  it('is never a review without proof, and never an item that can’t be filed, whatever stands in it', async () => {
    const piece = fc.constantFrom(
      'Rating:',
      'Author:',
      'What they wrote:',
      'See the review',
      '★',
      '4/5',
      '\n',
      'Review no.',
      ' ',
    );
    const body = fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 30 })), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(body, fc.boolean(), async (pieces, isProven) => {
        const text = pieces.join('');
        const item = await itemOf(mailOf(text, isProven ? PASS : 'X-A: b'));
        if (item.kind === 'review') {
          const { rating, maxRating } = reviewOf(item) as { rating: number; maxRating: number };
          assert.ok(isProven && rating > 0 && rating <= maxRating);
        } else assert.match(item.fields!['remarks']!, isProven ? /finds no (rating|text)/ : /nothing proves/);
      }),
      { numRuns: 100 },
    );
  });

  it('is cut to what an envelope holds', async () => {
    const long = 'Ж'.repeat(3000);
    const text = words({ author: long, id: long }).replace('Order: 1001', `Order: ${long}`);
    const item = await itemOf(mailOf(text.replace('reviews/', `reviews/${'a'.repeat(3000)}`)));
    assert.equal(item.sender.name!.length, 1000);
    assert.ok(item.externalId.length <= 512);
  });

  it('is answered on the portal: the reason names it, with the link', async () => {
    const config = Config.parse({ address: 'support@example.com', listen: {}, smtp: { host: 'mx.test' } });
    const channel = await email.open(config, fakeContext({ id: 'mail' }));
    const can = (fields: Record<string, string>) =>
      channel.canReply!({ ticket: sampleTicket(), lastInboundAt: 1, answers: sampleMessage({ fields }) });
    assert.deepEqual(await can({}), { allowed: true });
    assert.deepEqual(await can({ portal: '@maps.test', link: 'https://maps.test/reviews/77' }), {
      allowed: false,
      reason: '@maps.test takes no answers by mail: answer there: https://maps.test/reviews/77',
    });
    assert.equal((await can({ portal: '@maps.test' })).allowed, false);
  });

  it('takes no ordinary mail into its conversation, whatever that is called, before it or after it', async () => {
    const portals = JSON.stringify([RULE]);
    const yaml = `  - { id: mail, type: email, address: support@example.com, authServer: mx.example.com, listen: { port: 0 }, smtp: { host: mx.test }, portals: ${portals} }\n`;
    for (const isBefore of [true, false]) {
      const whole = await startWhole({ yaml });
      try {
        const file = fileIn(whole);
        const forged = async () => {
          const tickets: string[] = [];
          for (const from of ['@maps.test', 'PORTAL @maps.test', 'portal@maps.test'])
            for (const id of ['77', 'n1@maps.test', 'PORTAL']) {
              const head = `From: <${from}>\nTo: support@example.com\nMessage-ID: <${id}>\nReferences: <77>`;
              for (const each of [head, head.replace(/\nReferences.*/, '')])
                tickets.push(await file(`${each}\nSubject: Hello\n\nAnswer me.\n`));
            }
          return tickets;
        };
        const earlier = isBefore ? await forged() : [];
        const review = await file(mailOf());
        const later = isBefore ? [] : await forged();
        assert.ok(![...earlier, ...later].includes(review));
        const { replyChannels } = await whole.api<{ replyChannels: { allowed: boolean }[] }>(`/tickets/${review}`);
        assert.deepEqual(
          replyChannels.map(({ allowed }) => allowed),
          [false],
        );
      } finally {
        await whole.close();
      }
    }
  });

  it('needs rules that can be proven, and that say what to look for', () => {
    const base = { address: 'support@example.com', listen: {} };
    const problem = (settings: object) => Config.safeParse({ ...base, ...settings }).error?.issues[0]?.path.join('.');
    assert.equal(problem({ portals: [RULE], authServer: 'mx.test' }), undefined);
    assert.equal(problem({ portals: [RULE] }), 'authServer');
    const one = (rule: object) => problem({ authServer: 'mx.test', portals: [rule] });
    assert.equal(one({ from: '@maps.test', text: 'x' }), 'portals.0.rating');
    assert.equal(one({ ...RULE, rating: {} }), 'portals.0.rating');
    assert.equal(one({ ...RULE, rating: ' ' }), 'portals.0.rating');
    assert.equal(one({ ...RULE, link: 'http://maps.test/' }), 'portals.0.link');
    assert.equal(one({ ...RULE, from: 'maps.test' }), 'portals.0.from');
    assert.equal(one({ ...RULE, text: undefined }), 'portals.0.text');
    assert.equal(one({ ...RULE, text: undefined, id: undefined }), undefined);
  });

  it('is one message, however often it is read, and can be tried before', async () => {
    const portals = JSON.stringify([RULE]);
    const yaml = `  - { id: mail, type: email, address: support@example.com, authServer: mx.example.com, listen: { port: 0 }, portals: ${portals} }\n`;
    const whole = await startWhole({ yaml });
    try {
      const tried = await whole.api<{ items: { kind: string; review: object }[] }>('/channels/mail/dry-run', {
        method: 'POST',
        body: { method: 'STREAM', body: mailOf() },
      });
      assert.equal(tried.items[0]!.kind, 'review');
      assert.equal((await whole.api<{ data: object[] }>('/tickets')).data.length, 0);
      const file = fileIn(whole);
      for (let times = 0; times < 100; times++) await file(mailOf());
      const { data } = await until(async () => {
        const tickets = await whole.api<{ data: { id: string }[] }>('/tickets');
        return tickets.data.length > 0 ? tickets : undefined;
      }, 'the ticket');
      assert.equal(data.length, 1);
      const messages = () =>
        whole.api<{ data: { review: { rating: number }; revision: number }[] }>(`/tickets/${data[0]!.id}/messages`);
      assert.equal((await messages()).data.length, 1);
      await file(
        mailOf(words({ rating: '5' }))
          .replace('10:00:00', '11:00:00')
          .replace('n1@', 'n2@'),
      );
      assert.deepEqual(
        (await messages()).data.map(({ review }) => review.rating),
        [5],
      );
    } finally {
      await whole.close();
    }
  });
});
