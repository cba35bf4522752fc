import assert from 'node:assert/strict';
import { forwardIn } from '../src/connectors/email/text/forward.ts';
import { readMarkup } from '../src/connectors/email/text/markup.ts';
import { linesOf } from '../src/connectors/email/text/lines.ts';
import { quotesIn } from '../src/connectors/email/text/quotes.ts';
import { replyIn } from '../src/connectors/email/text/reply.ts';
import { withoutPrefixes } from '../src/connectors/email/text/subject.ts';

const lines = (...all: string[]) => all.join('\n');
const QUOTE = '> Where is my order 4512?';

describe('what a person wrote', () => {
  /** A line above a quote, as programs write it. */
  const intros: Record<string, string> = {
    'Gmail in English': 'On Sun, Nov 22, 2026 at 10:00 AM Support <support@example.com> wrote:',
    'Gmail in Ukrainian': 'нд, 22 лист. 2026 р. о 10:00 Support <support@example.com> пише:',
    'Gmail in Russian': 'вс, 22 нояб. 2026 г. в 10:00, Support <support@example.com>:',
    'Gmail in German': 'Am So., 22. Nov. 2026 um 10:00 Uhr schrieb Support <support@example.com>:',
    'Gmail in French': 'Le dim. 22 nov. 2026 à 10:00, Support <support@example.com> a écrit :',
    'Gmail in Spanish': 'El dom, 22 nov 2026 a las 10:00, Support (<support@example.com>) escribió:',
    'Gmail in Polish': 'niedz., 22 lis 2026 o 10:00 Support <support@example.com> napisał(a):',
    'Gmail, broken at the address': 'On Sun, Nov 22, 2026 at 10:00 AM Support <\nsupport@example.com> wrote:',
    'Apple Mail in English': 'On 22 Nov 2026, at 10:00, Support <support@example.com> wrote:',
    'Apple Mail in Ukrainian': '22 лист. 2026 р. о 10:00 Support <support@example.com> пише:',
    'Apple Mail in Russian': '22 нояб. 2026 г., в 10:00, Support <support@example.com> написал(а):',
    'Apple Mail in German': 'Am 22.11.2026 um 10:00 schrieb Support <support@example.com>:',
    'Thunderbird in English': 'On 22/11/2026 10:00, Support wrote:',
    'Thunderbird in Ukrainian': '22.11.2026 10:00, Support пише:',
    'Thunderbird in Russian': '22.11.2026 10:00, Support пишет:',
    'Thunderbird in Polish': 'W dniu 22.11.2026 o 10:00, Support pisze:',
    'Thunderbird in French': 'Le 22/11/2026 à 10:00, Support a écrit :',
    'Mail.ru': 'Воскресенье, 22 ноября 2026, 10:00 +03:00 от Support <support@example.com>:',
    Yandex: '22.11.2026, 10:00, "Support" <support@example.com>:',
    'Ukr.net': '22 листопада 2026, 10:00:15, від "Support" <support@example.com>:',
    Yahoo: 'On Sunday, November 22, 2026 at 10:00:00 AM GMT+2, Support <support@example.com> wrote:',
    Zoho: '---- On Sun, 22 Nov 2026 10:00:00 +0200 Support <support@example.com> wrote ----',
    'a program that adds signs which nobody sees': 'On 22 Nov 2026, at 10:00, Support <s@example.com> wrote:\u200b',
    'an old program without a date': 'Support wrote:',
  };
  for (const [program, intro] of Object.entries(intros)) {
    it(`is what stands above a quote of ${program}`, () => {
      assert.equal(replyIn(lines('It came today.', '', intro, '', QUOTE)), 'It came today.');
    });
    it(`is what stands below a quote of ${program}`, () => {
      assert.equal(replyIn(lines(intro, QUOTE, '', 'It came today.')), 'It came today.');
    });
  }

  /** The header of the mail that is answered, as programs write it. */
  const headers: Record<string, string[]> = {
    'Outlook in English': ['From: Support <support@example.com>', 'Sent: Sunday, 22 November 2026 10:00'],
    'Outlook in Ukrainian': ['Від: Support <support@example.com>', 'Надіслано: 22 листопада 2026 р. 10:00'],
    'Outlook in Russian': ['От: Support <support@example.com>', 'Отправлено: 22 ноября 2026 г. 10:00'],
    'Outlook in German': ['Von: Support <support@example.com>', 'Gesendet: Sonntag, 22. November 2026 10:00'],
    'Outlook in French': ['De : Support <support@example.com>', 'Envoyé : dimanche 22 novembre 2026 10:00'],
    'Outlook in Spanish': ['De: Support <support@example.com>', 'Enviado el: domingo, 22 de noviembre de 2026 10:00'],
    'Outlook in Polish': ['Od: Support <support@example.com>', 'Wysłano: niedziela, 22 listopada 2026 10:00'],
    'Outlook, in bold letters': ['*From:* Support <support@example.com>', '*Sent:* Sunday, 22 November 2026 10:00'],
    'Ukr.net': [
      '--- Оригінальне повідомлення ---',
      'Від кого: "Support" <support@example.com>',
      'Дата: 22 листопада 2026',
    ],
    'Outlook Express': ['-----Original Message-----', 'From: "Support" <support@example.com>'],
    'a Polish program': ['-----Wiadomość oryginalna-----', 'Od: Support'],
  };
  for (const [program, header] of Object.entries(headers)) {
    it(`is what stands above a mail that ${program} appends without quote marks`, () => {
      const text = lines('It came today.', '', '________________________________', ...header, '', 'Where is it?');
      assert.equal(replyIn(text), 'It came today.');
    });
  }

  const kept: Record<string, string> = {
    'answers between the lines of a quote': lines('> First?', 'Yes.', '> Second?', 'No.'),
    'an answer below a quote with a word above it': lines('Hello,', '', QUOTE, '', 'It came today.'),
    'a quote alone': QUOTE,
    'words that could stand above a quote': lines(
      'On Monday at 10:00 your colleague wrote:',
      'I will call you.',
      'Nobody did.',
    ),
    'words that could announce a mail': lines('It said', '', 'Original message', '', 'and nothing else.'),
    'what looks like a header': lines('From: Kyiv', 'To: Lviv', 'Date: Monday', '', 'How much is it?'),
    'a list that looks like a header': lines('Please quote:', '', 'From: Kyiv', 'To: Lviv', 'Date: Monday'),
    'a form with a sender': lines(
      'From: Olena <olena@example.com>',
      'Subject: Question',
      'To: the shop',
      '',
      'Is it open?',
    ),
    'dashes in the text': lines('Two things -- both broken:', '', '- the lid', '- the box'),
    'a list without blanks at its end': lines('We need:', '', '-Bread', '-Milk'),
    'a line with `sent from`': lines('Hello', '', 'Sent the phone back yesterday'),
    'text below a line, when it is long': lines('Above', '--', ...Array.from({ length: 25 }, (_, i) => `Line ${i}`)),
    'a confidential question': 'This is confidential, please tell nobody: my card was stolen.',
    'code with quote marks in it': lines('This fails:', '', '    if (a > b) {', '    }', '', 'Why?'),
  };
  for (const [what, text] of Object.entries(kept)) {
    it(`keeps ${what}`, () => assert.equal(replyIn(text), text));
  }

  it('has its answers between the lines of a quote, without the line above it', () => {
    const answers = ['> First?', '', 'Yes.', '', '> Second?', '', 'No.'];
    const text = lines('On 22 Nov 2026, at 10:00, Support <support@example.com> wrote:', ...answers);
    assert.equal(replyIn(text), lines(...answers));
  });

  it('leaves the line above a quote out when it is answered below', () => {
    const text = lines('Hello,', 'On 22 Nov 2026, at 10:00, Support <support@example.com> wrote:', QUOTE, '', 'Today.');
    assert.equal(replyIn(text), lines('Hello,', QUOTE, '', 'Today.'));
  });

  const signatures: Record<string, string> = {
    'two dashes': lines('-- ', 'Olena', '+380 44 000 00 00'),
    'an iPhone in English': 'Sent from my iPhone',
    'an iPhone in Ukrainian': 'Надіслано з iPhone',
    'an Android in Ukrainian': 'Надіслано з мого телефону Samsung Galaxy.',
    'a phone in Russian': 'Отправлено с iPhone',
    'Mail.ru': lines('--', 'Отправлено из Mail.ru для Android'),
    'Yandex on a phone': 'Отправлено из мобильной Яндекс Почты',
    'a phone in German': 'Von meinem iPhone gesendet',
    'K-9': 'Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.',
    'a phone in French': 'Envoyé de mon iPhone',
    'a phone in Spanish': 'Enviado desde mi iPhone',
    'a phone in Polish': 'Wysłane z iPhone’a',
    'Outlook on phones': 'Get Outlook for iOS<https://aka.ms/o0ukef>',
    'Outlook on phones in Ukrainian': 'Отримати Outlook для Android',
    'a company in English': lines(
      'This e-mail is confidential. If you are not the intended recipient,',
      'please delete it.',
    ),
    'a company in Ukrainian': 'Цей лист містить конфіденційну інформацію, призначену лише для адресата.',
    'a company in German': 'Diese E-Mail ist vertraulich und nur für den Empfänger bestimmt.',
    'a scanner': 'Virus-free. www.avast.com',
    'the name alone': '-Olena Koval',
  };
  for (const [what, signature] of Object.entries(signatures)) {
    it(`ends where the signature of ${what} begins`, () => {
      assert.equal(replyIn(lines('It came today.', '', signature)), 'It came today.');
    });
  }

  it('begins behind a warning of the mail server', () => {
    const banner = 'CAUTION: This email originated from outside of the organization. Do not click links.';
    assert.equal(replyIn(lines(banner, '', 'It came today.')), 'It came today.');
  });

  it('is nothing where everything is somebody else’s', () => {
    assert.equal(replyIn(lines('On 22 Nov 2026, at 10:00, Support <support@example.com> wrote:', '', QUOTE)), '');
  });

  it('is read in a moment whatever it consists of', function () {
    const pieces = [
      '\n',
      '>',
      'a:\n',
      '>\n',
      '--\n',
      'x wrote:\n',
      'From: a,\n',
      '<\n\n',
      '-----Original Message-----\n',
    ];
    for (const piece of [
      ...pieces,
      'On 10.10.2026 10:00 a@b.cc wrote:\n> x\ny\n',
      'Sent from my iPhone\n',
      'AB> x\n',
    ]) {
      const text = piece.repeat(Math.ceil(300_000 / piece.length));
      assert.ok(replyIn(text).length <= text.length);
      forwardIn(text, 'Fwd: it');
    }
  });
});

describe('when somebody wrote something', () => {
  it('is told in a text without cutting off what follows, unless a program says so', () => {
    const told = 'Hello,\n\nOn 03.05.2027 at 10:00 your courier wrote:\nIt is at the door.\n\nNothing was there.';
    assert.equal(replyIn(told), told);
    assert.equal(replyIn('Thanks\n\nOn Mon, 3 May 2027, at 10:00, Ann wrote:\nIt is at the door.'), 'Thanks');
  });
});

describe('a question about what is confidential', () => {
  it('is no notice of a company', () => {
    const text = 'Hello.\n\nIs it confidential if I name the recipient of the parcel? Please answer soon.';
    assert.equal(replyIn(text), text);
  });
});

describe('what looks like quotes all over', () => {
  for (const line of ['-----Original Message-----', 'Priority: high', 'From: Kyiv']) {
    it(`is looked at a few times a line, however many there are: ${line}`, () => {
      let looks = 0;
      const lines = linesOf(`${line}\n`.repeat(3000)).map((each) => ({
        ...each,
        get bare() {
          looks++;
          return each.bare;
        },
      }));
      quotesIn(lines);
      assert.ok(looks < 30 * lines.length, `${looks} times`);
    });
  }
});

describe('the text of HTML', () => {
  const OLD = '<p>Where is my order?</p>';
  const cite = 'On Sun, Nov 22, 2026 Support &lt;<a href="mailto:s@example.com">s@example.com</a>&gt; wrote:';
  const marked: Record<string, string> = {
    Gmail: `<div dir="ltr">It came today.</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">${cite}<br></div><blockquote class="gmail_quote">${OLD}</blockquote></div>`,
    'Gmail in a language nobody here knows': `<div>It came today.</div><div class="gmail_quote"><div class="gmail_attr">Vào 10:00, Support đã viết:</div><blockquote class="gmail_quote">${OLD}</blockquote></div>`,
    'Apple Mail': `It came today.<div><br><blockquote type="cite"><div>${cite}</div><br>${OLD}</blockquote></div>`,
    Thunderbird: `<p>It came today.</p><div class="moz-cite-prefix">Dne 22.11. Support:<br></div><blockquote type="cite">${OLD}</blockquote>`,
    'Outlook on the web': `<div>It came today.</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>Fá:</b> Support</div>${OLD}`,
    'Outlook on phones': `<div>It came today.</div><div id="ms-outlook-mobile-signature">Get it</div><div id="mail-editor-reference-message-container">${OLD}</div>`,
    'Outlook for Mac': `<div>It came today.</div><span id="OLK_SRC_BODY_SECTION"><div>Fá: Support</div>${OLD}</span>`,
    Yahoo: `<div>It came today.</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>Support:</div>${OLD}</div>`,
    'Mail.ru': `<div>It came today.</div><div>Воскресенье, 22 ноября 2026, 10:00 +03:00 от Support &lt;s@example.com&gt;:</div><blockquote style="border-left:1px solid #0857A6; margin:10px">${OLD}</blockquote>`,
    Yandex: `<div>It came today.</div><div>22.11.2026, 10:00, "Support" &lt;s@example.com&gt;:</div><blockquote>${OLD}</blockquote>`,
    'Ukr.net': `<div>It came today.</div><div>22 листопада 2026, 10:00:15, від "Support" &lt;s@example.com&gt;:</div><blockquote style="border-left:1px solid #ccc">${OLD}</blockquote>`,
    Proton: `<div>It came today.</div><div class="protonmail_quote">${cite}<br><blockquote class="protonmail_quote" type="cite">${OLD}</blockquote></div>`,
  };
  for (const [program, html] of Object.entries(marked)) {
    it(`is new where ${program} marks nothing as quoted`, () => {
      const { text, marked: rest } = readMarkup(html);
      assert.equal(replyIn(rest), 'It came today.');
      assert.match(text, /Where is my order\?/, 'the whole text stays');
    });
  }

  it('ends where a signature is marked, and keeps whatever else was written into it', () => {
    const long = Array.from({ length: 30 }, (_, i) => `<div>Line ${i}</div>`).join('');
    const html = (inside: string) => `<div>Hi.</div><div class="gmail_signature">${inside}</div>`;
    assert.equal(replyIn(readMarkup(html('<div>Olena</div><div>Kyiv</div>')).marked), 'Hi.');
    assert.match(replyIn(readMarkup(html(long)).marked), /^Hi\.\n\n?Line 0\n[^]*Line 29$/);
  });

  it('keeps answers between quotes, and text that is only indented', () => {
    const html = `<div class="moz-cite-prefix">Support:</div><blockquote type="cite">One?</blockquote><p>Yes.</p><blockquote type="cite">Two?</blockquote><p>No.</p>`;
    assert.equal(
      replyIn(readMarkup(html).marked),
      lines('> Support:', '', '> One?', '', 'Yes.', '', '> Two?', '', 'No.'),
    );
    const indented =
      '<p>It says:</p><blockquote style="margin:0 0 0 40px;border:none;padding:0px">Error 12</blockquote>';
    assert.equal(readMarkup(indented).marked, lines('It says:', '', 'Error 12'));
  });

  it('has its lists, tables and links, and nothing of what nobody sees', () => {
    const html = `<div style="display:none">Preview</div><h1>Order</h1><ul><li>Lid</li><li>Box</li></ul><table><tr><td>Price</td><td>10</td></tr></table><p><a href="https://example.com/4512">Track</a></p><img src="x" alt="logo"><script>alert(1)</script>`;
    const { text } = readMarkup(html);
    assert.equal(
      text,
      lines('Order', '', ' * Lid', ' * Box', '', 'Price   10', '', 'Track [https://example.com/4512]').replace(
        / {3}10/,
        '   10',
      ),
    );
  });

  it('ends where Gmail forwards', () => {
    const header = '---------- Forwarded message ---------<br>From: Olena &lt;o@example.com&gt;<br>';
    const html = `<div>See.</div><div class="gmail_quote"><div class="gmail_attr">${header}</div>Old</div>`;
    assert.equal(replyIn(readMarkup(html).marked), 'See.');
  });

  it('takes its own marks from nobody', () => {
    assert.equal(readMarkup('<p>\ue004</p><p>It came today.</p>').marked, 'It came today.');
  });
});

describe('a subject', () => {
  const bare: Record<string, { subject: string; isForward: boolean; isReply: boolean }> = {
    'Re: Invoice': { subject: 'Invoice', isForward: false, isReply: true },
    'RE[2]: FW: Invoice': { subject: 'Invoice', isForward: false, isReply: true },
    'AW: WG: Rechnung': { subject: 'Rechnung', isForward: false, isReply: true },
    'Fwd: Re: Invoice': { subject: 'Invoice', isForward: true, isReply: true },
    'Відп: Рахунок': { subject: 'Рахунок', isForward: false, isReply: true },
    'Отв: НА: Счёт': { subject: 'Счёт', isForward: false, isReply: true },
    'Пересл: Счёт': { subject: 'Счёт', isForward: true, isReply: false },
    'Odp: PD: Faktura': { subject: 'Faktura', isForward: false, isReply: true },
    'TR : Facture': { subject: 'Facture', isForward: true, isReply: false },
    'RV: Factura': { subject: 'Factura', isForward: true, isReply: false },
    'Antw: Factuur': { subject: 'Factuur', isForward: false, isReply: true },
    'SV: Faktura': { subject: 'Faktura', isForward: false, isReply: true },
    'Order: 4512': { subject: 'Order: 4512', isForward: false, isReply: false },
    '': { subject: '', isForward: false, isReply: false },
  };
  for (const [subject, expected] of Object.entries(bare)) {
    it(`says what it is about and what was done: ${subject || 'an empty one'}`, () => {
      assert.deepEqual(withoutPrefixes(subject), expected);
    });
  }
});

describe('a mail that is passed on', () => {
  const body = lines('', 'My order 4512 has not come.', '', '-- ', 'Olena');
  const people = ['Олена Коваль <olena@example.com>', 'support@example.com'] as const;
  const forwards: Record<string, string> = {
    Gmail: lines(
      '---------- Forwarded message ---------',
      `Від: ${people[0]}`,
      'Date: нд, 22 лист. 2026 р. о 10:00',
      'Subject: Замовлення',
      `To: <${people[1]}>`,
      body,
    ),
    'Apple Mail': lines(
      'Початок листа, що пересилається:',
      '',
      `> Від: ${people[0]}`,
      '> Тема: Замовлення',
      '> Дата: 22 листопада 2026',
      `> Кому: ${people[1]}`,
      ...body.split('\n').map((line) => `> ${line}`),
    ),
    Outlook: lines(
      '________________________________',
      `Від: ${people[0]}`,
      'Надіслано: 22 листопада 2026 р. 10:00',
      `Кому: ${people[1]}`,
      'Тема: Замовлення',
      body,
    ),
    Yandex: lines(
      '-------- Пересылаемое сообщение --------',
      `22.11.2026, 10:00, "Олена Коваль" <olena@example.com>:`,
      body,
    ),
    'Mail.ru': lines(
      '-------- Пересылаемое сообщение --------',
      `От кого: ${people[0]}`,
      `Кому: ${people[1]}`,
      'Дата: Воскресенье, 22 ноября 2026',
      'Тема: Замовлення',
      body,
    ),
  };
  for (const [program, text] of Object.entries(forwards)) {
    it(`gives its author and his words, from ${program}`, () => {
      const found = forwardIn(lines('Please help her.', '', text), 'Fwd: Замовлення');
      assert.deepEqual(found?.from, { name: 'Олена Коваль', address: 'olena@example.com' });
      assert.equal(found.note, 'Please help her.');
      assert.equal(found.subject, 'Замовлення');
      assert.equal(found.reply, 'My order 4512 has not come.');
    });
  }

  it('is none when it is answered', () => {
    const text = lines(
      'Thanks!',
      '',
      'On 22 Nov 2026, at 10:00, Support <support@example.com> wrote:',
      '',
      '> ---------- Forwarded message ---------',
      '> From: Olena <olena@example.com>',
      '> Subject: Order',
      '> To: x@example.com',
      '>',
      '> It came.',
    );
    assert.equal(forwardIn(text, 'Re: Order'), undefined);
    assert.equal(forwardIn(lines('Thanks!', '', forwards.Outlook ?? ''), 'Re: Order'), undefined);
    const old = ['-----Original Message-----', 'From: Support <s@example.com>', 'To: o@example.com', 'Subject: Order'];
    assert.equal(forwardIn(lines('Thanks!', '', ...old, '', 'Old'), 'Re: Order'), undefined);
  });

  it('has its people where their list is broken into lines', () => {
    const header = [
      'From: o@example.com',
      'Subject: Order',
      'To: a@example.com',
      'Cc: b@example.com,',
      'c@example.com',
    ];
    const found = forwardIn(lines('Begin forwarded message:', '', ...header, '', 'It came.'), 'Fwd: Order');
    assert.deepEqual(
      found?.cc.map(({ address }) => address),
      ['b@example.com', 'c@example.com'],
    );
    assert.equal(found?.text, 'It came.');
  });
});
