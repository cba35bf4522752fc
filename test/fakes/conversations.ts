/**
 * Conversations by mail, written by us: which mail belongs into which ticket. Each mail begins with the letter of its
 * ticket (`-`: none), then its header lines; `In: keys` is the channel, a line without a name the text. What is left out
 * is added: To, Date, a Message-ID of its own. `{1}` is the Message-ID of the first mail of the conversation, `{our A}`
 * that of an answer of ours in ticket A, `{address A}` the address that it asks to be answered at; `{cut A}`, `{guess A}`
 * and `{swap A}` are that address with half of its proof, with another one, and with the proof for another number.
 */
export interface Conversation {
  readonly what: string;
  readonly mails: readonly (readonly [ticket: string, ...lines: string[]])[];
}

const OLENA = 'From: Olena <olena@shop.test>';
const EVE = 'From: eve@evil.test';
const ANNA = 'From: Anna <anna@example.com>';
const ORDER = 'Subject: Order 4512';
const RE = 'Subject: Re: Order 4512';
const INDEX = `Thread-Index: ${Buffer.from([1, ...Array.from({ length: 21 }, (_, at) => at * 7)]).toString('base64')}`;
const LATER_INDEX = `Thread-Index: ${Buffer.from([1, ...Array.from({ length: 21 }, (_, at) => at * 7), 1, 2, 3, 4, 5]).toString('base64')}`;
const PROVEN = 'Authentication-Results: mx.example.com; dkim=pass; dmarc=pass header.from=example.com';

const onOwn = (name: string) => `From: ${name}`;

/** What leads from our answer back into its ticket, each with a person of its own. */
const returns: readonly (readonly [what: string, ...lines: string[]])[] = [
  ['both references', 'In-Reply-To: {our A}', 'References: {1} {our A}'],
  ['In-Reply-To alone', 'In-Reply-To: {our A}'],
  ['References alone', 'References: {1} {our A}'],
  ['only the beginning of References', 'References: {1}'],
  ['words around the id', 'In-Reply-To: Your message of Monday {our A} (support)'],
  ['ids on many lines', 'References: {1}\n\t{our A}'],
  ['ids with commas', 'References: {1},{our A}'],
  ['ids broken by blanks', 'References: {broken A}'],
  ['ids without brackets', 'In-Reply-To: {bare A}'],
  ['ids in capitals', 'References: {capitals A}'],
  ['unknown ids around ours', 'References: <x@gone.test> {our A} <y@gone.test>'],
  [
    'a relay that gave our answer another id',
    'In-Reply-To: <0100-0000@relay.test>',
    'References: {1} <0100-0000@relay.test>',
  ],
  ['the address alone', 'To: {address A}'],
  ['the address in capitals', 'To: {ADDRESS A}'],
  ['the address in copy', 'Cc: Support <{address A}>'],
  ['the address that it was delivered to', 'Delivered-To: {address A}'],
  ['another address of his, with our id', 'From: private@home.test', 'In-Reply-To: {our A}'],
  ['another subject, by default', 'Subject: And one more thing', 'In-Reply-To: {our A}'],
  ['a stranger’s Reply-To', 'Reply-To: other@shop.test', 'In-Reply-To: {our A}'],
];

/** Prefixes of answers, where nothing else leads back. */
const prefixes = ['Re:', 'RE[2]:', 'AW:', 'Відп:', 'Отв:', 'SV:', 'Odp:', 'Antw:', 'TR: Re:', 'Re: Re: Re:'];

/** What must lead nobody else into the ticket. */
const hijacks: readonly (readonly [what: string, ...lines: string[]])[] = [
  ['References', 'References: {1}'],
  ['In-Reply-To', 'In-Reply-To: {1}'],
  ['a hundred references', `References: ${Array.from({ length: 99 }, (_, at) => `<${at}@evil.test>`).join(' ')} {1}`],
  ['the number in the address', 'To: support+t{number A}@example.com'],
  ['a guessed proof', 'To: {guess A}'],
  ['half a proof', 'To: {cut A}'],
  ['the proof for another number', 'To: {swap A}'],
  ['an id with a guessed proof', 'In-Reply-To: {forged A}'],
  ['the number in the subject', 'Subject: [#{number A}] Order 4512'],
  ['the same subject', RE],
  ['Thread-Index', INDEX],
  ['Thread-Index and the subject', RE, LATER_INDEX],
  ['a Reply-To of the customer', 'Reply-To: {author}', 'References: {1}'],
  ['a Sender of the customer', 'Sender: {author}', 'References: {1}'],
  ['the customer’s address as his name', 'From: "{author}" <eve@evil.test>', 'References: {1}'],
  ['the customer’s address in an encoded name', 'From: =?utf-8?Q?{author}?= <eve@evil.test>', 'References: {1}'],
  ['an address that looks like the customer’s', 'From: <{author}@evil.test>', 'References: {1}'],
  ['a copy to the customer', 'Cc: {author}', 'References: {1}'],
  ['headers of other help desks', 'X-Zammad-Ticket-Number: {number A}', 'X-OTRS-Loop: no', 'References: {1}'],
  [
    'a header that our reader uses itself',
    'X-GM-Labels: "\\\\Sent"',
    'X-SMTP-Rcpt-To: support@example.com',
    'References: {1}',
  ],
  ['a colleague’s address', ANNA, 'References: {1}', 'In: agents'],
  [
    'a colleague’s address that fails',
    ANNA,
    'References: {1}',
    `${PROVEN.replace('pass header', 'fail header')}`,
    'In: agents',
  ],
  [
    'a proof of his own below the real one',
    ANNA,
    'References: {1}',
    'Authentication-Results: mx.example.com; dmarc=fail header.from=example.com',
    PROVEN,
    'In: agents',
  ],
  [
    'the word of another server',
    ANNA,
    'References: {1}',
    PROVEN.replace('mx.example.com', 'mx.evil.test'),
    'In: agents',
  ],
  ['the proof of another domain', ANNA, 'References: {1}', PROVEN.replace('=example.com', '=evil.test'), 'In: agents'],
  ['our own address', 'From: support@example.com', 'Reply-To: eve@evil.test', 'References: {1}'],
];

const person = (at: number) => `person${at}@shop.test`;

export const conversations: readonly Conversation[] = [
  ...returns.map(([what, ...lines], at) => ({
    what: `goes on by ${what}`,
    mails: [
      ['A', onOwn(person(at)), ORDER],
      ['A', ...(lines.some((line) => line.startsWith('From:')) ? [] : [onOwn(person(at))]), RE, ...lines],
    ] as const,
  })),
  ...prefixes.map((prefix, at) => ({
    what: `goes on by “${prefix}” and its subject`,
    mails: [
      ['A', onOwn(person(100 + at)), 'Subject: Where is my  order?'],
      ['A', onOwn(person(100 + at)), `Subject: ${prefix} where is my order?`],
    ] as const,
  })),
  ...hijacks.map(([what, ...lines], at) => ({
    what: `is not entered by ${what}`,
    mails: [
      ['A', onOwn(person(200 + at)), ORDER, INDEX, ...lines.filter((line) => line.startsWith('In:'))],
      [
        'B',
        ...(lines.some((line) => line.startsWith('From:')) ? [] : [`From: eve${at}@evil.test`]),
        ...lines.map((line) => line.replaceAll('{author}', person(200 + at))),
      ],
      ['A', onOwn(person(200 + at)), RE, 'References: {1}', ...lines.filter((line) => line.startsWith('In:'))],
    ] as const,
  })),
  {
    what: 'goes on before we have answered',
    mails: [
      ['A', OLENA, ORDER],
      ['A', OLENA, RE, 'References: {1}'],
      ['A', OLENA, RE, 'References: {2}'],
    ],
  },
  {
    what: 'is another one with another subject',
    mails: [
      ['A', OLENA, ORDER],
      ['B', OLENA, 'Subject: Order 4513'],
    ],
  },
  {
    what: 'is another one with the same subject, when it is no answer',
    mails: [
      ['A', OLENA, 'Subject: Question'],
      ['B', OLENA, 'Subject: Question'],
    ],
  },
  {
    what: 'is another one when the answer is about something else',
    mails: [
      ['A', OLENA, 'Subject: Blue'],
      ['B', OLENA, 'Subject: Re: Red'],
    ],
  },
  {
    what: 'is another one when only the end of the subject is the same',
    mails: [
      ['A', OLENA, 'Subject: Dark green'],
      ['B', OLENA, 'Subject: Re: green'],
    ],
  },
  {
    what: 'is another one when an answer has no subject',
    mails: [
      ['A', OLENA, 'Subject: Yellow'],
      ['B', OLENA, 'Subject: Re:'],
    ],
  },
  {
    what: 'is the newer one that a mail names',
    mails: [
      ['A', OLENA, 'Subject: One'],
      ['B', OLENA, 'Subject: Two'],
      ['B', OLENA, 'Subject: Re: Two', 'References: {our A} {our B}'],
    ],
  },
  {
    what: 'goes on with a colleague of the customer, when he has our answer',
    mails: [
      ['A', 'From: c1@firm.test', 'Cc: boss@firm.test', ORDER],
      ['A', 'From: boss@firm.test', RE, 'References: {1} {our A}'],
      ['A', 'From: boss@firm.test', RE, 'References: {2}'],
    ],
  },
  {
    what: 'doesn’t go on with a colleague of the customer who was only in copy',
    mails: [
      ['A', 'From: c2@firm.test', 'Cc: boss2@firm.test', ORDER],
      ['B', 'From: boss2@firm.test', RE, 'References: {1}'],
    ],
  },
  {
    what: 'goes on where only its beginning, which we never had, is named',
    mails: [
      ['A', 'From: c3@firm.test', 'Subject: Fwd: Offer', 'References: <offer@elsewhere.test>'],
      ['A', 'From: c3@firm.test', 'Subject: Re: Offer', 'References: <offer@elsewhere.test> <more@elsewhere.test>'],
      ['B', EVE, 'Subject: Re: Offer', 'References: <offer@elsewhere.test>'],
    ],
  },
  {
    what: 'goes on by Thread-Index where References are lost',
    mails: [
      ['A', 'From: o1@firm.test', ORDER, INDEX],
      ['A', 'From: o1@firm.test', 'Subject: another', LATER_INDEX],
    ],
  },
  {
    what: 'goes on by Thread-Index where References are rewritten',
    mails: [
      ['A', 'From: o2@firm.test', ORDER, INDEX],
      ['A', 'From: o2@firm.test', RE, LATER_INDEX, 'References: <rewritten@exchange.test>'],
    ],
  },
  {
    what: 'is another one with a Thread-Index that is none',
    mails: [
      ['A', 'From: o3@firm.test', 'Subject: one', 'Thread-Index: AQ=='],
      ['B', 'From: o3@firm.test', 'Subject: two', 'Thread-Index: AQ=='],
    ],
  },
  {
    what: 'goes on after a mail without Message-ID',
    mails: [
      ['A', 'From: n1@firm.test', ORDER, 'Message-ID:'],
      ['A', 'From: n1@firm.test', 'Subject: thanks', 'In-Reply-To: {our A}'],
    ],
  },
  {
    what: 'is one ticket when a mail without Message-ID is fetched twice',
    mails: [
      ['A', 'From: n2@firm.test', ORDER, 'Message-ID:', 'Date: Sat, 31 Jan 2026 09:00:00 +0000'],
      ['A', 'From: n2@firm.test', ORDER, 'Message-ID:', 'Date: Sat, 31 Jan 2026 09:00:00 +0000'],
    ],
  },
  {
    what: 'is two tickets when two mails have no Message-ID',
    mails: [
      ['A', 'From: n3@firm.test', ORDER, 'Message-ID:'],
      ['B', 'From: n3@firm.test', 'Subject: Another', 'Message-ID:'],
    ],
  },
  {
    what: 'is one ticket when a mail is fetched twice',
    mails: [
      ['A', OLENA, ORDER, 'Message-ID: <f1@shop.test>', 'Date: Sat, 31 Jan 2026 09:00:00 +0000', 'Received: from a'],
      ['A', OLENA, ORDER, 'Message-ID: <f1@shop.test>', 'Date: Sat, 31 Jan 2026 09:00:00 +0000', 'Received: from b'],
    ],
  },
  {
    what: 'keeps all mails of a program that has one Message-ID',
    mails: [
      ['A', 'From: scan@firm.test', 'Subject: Scan 1', 'Message-ID: <scan@firm.test>'],
      ['A', 'From: scan@firm.test', 'Subject: Scan 2', 'Message-ID: <scan@firm.test>'],
    ],
  },
  {
    what: 'is not taken by somebody who used its Message-ID before',
    mails: [
      ['A', EVE, 'Subject: early', 'Message-ID: <soon@firm.test>'],
      ['B', 'From: c4@firm.test', ORDER, 'Message-ID: <soon@firm.test>'],
      ['B', 'From: c4@firm.test', RE, 'References: <soon@firm.test>'],
    ],
  },
  {
    what: 'is not taken by somebody who uses the Message-ID of our answer',
    mails: [
      ['A', 'From: c5@firm.test', ORDER],
      ['B', EVE, 'Subject: mine', 'Message-ID: {forged A}'],
      ['A', 'From: c5@firm.test', RE, 'In-Reply-To: {our A}'],
    ],
  },
  {
    what: 'is one where a new subject is a new ticket, with the same subject',
    mails: [
      ['A', 'In: strict', 'From: s1@firm.test', ORDER],
      ['A', 'In: strict', 'From: s1@firm.test', 'Subject: AW: Order  4512', 'References: {1} {our A}'],
      ['A', 'In: strict', 'From: s1@firm.test', 'Subject: Re:', 'References: {1} {our A}'],
    ],
  },
  {
    what: 'is two where a new subject is a new ticket, and both go on',
    mails: [
      ['A', 'In: strict', 'From: s2@firm.test', ORDER],
      ['B', 'In: strict', 'From: s2@firm.test', 'Subject: An invoice', 'References: {1} {our A}'],
      ['A', 'In: strict', 'From: s2@firm.test', RE, 'References: {1} {our A}'],
      ['B', 'In: strict', 'From: s2@firm.test', 'Subject: Re: An invoice', 'References: {1} {our A} {2}'],
      ['B', 'In: strict', 'From: s2@firm.test', 'Subject: Re: An invoice', 'References: {1} {our A} {2} {our B}'],
    ],
  },
  {
    what: 'goes on by the key of another help desk',
    mails: [
      ['A', 'In: keys', 'From: desk@partner.test', 'Subject: INC00123 Printer'],
      ['A', 'In: keys', 'From: desk@partner.test', 'Subject: [Update] inc00123: printer is on its way'],
      ['B', 'In: keys', 'From: desk@partner.test', 'Subject: INC00124 Printer'],
      ['C', 'In: keys', 'From: desk@partner.test', 'Subject: INC001234 Printer'],
      ['D', 'In: keys', 'From: desk@partner.test', 'Subject: XINC00123 Printer'],
      ['E', 'In: keys', EVE, 'Subject: INC00123 Printer'],
    ],
  },
  {
    what: 'goes on by the key of another help desk, whoever writes there',
    mails: [
      ['A', 'In: keys', 'From: max@jira.test', 'Subject: [SHOP-77] Broken'],
      ['A', 'In: keys', 'From: eva@jira.test', 'Subject: Re: [SHOP-77] Broken'],
      ['B', 'In: keys', EVE, 'Subject: Re: [SHOP-77] Broken'],
      ['C', 'In: keys', 'From: eva@notjira.test', 'Subject: Re: [SHOP-77] Broken'],
    ],
  },
  {
    what: 'is two with the same key where no rule names it',
    mails: [
      ['A', 'From: desk@partner.test', 'Subject: INC00125 a'],
      ['B', 'From: desk@partner.test', 'Subject: INC00125 b'],
    ],
  },
  {
    what: 'goes on with a colleague who answers from his own program',
    mails: [
      ['A', 'In: agents', 'From: c6@firm.test', ORDER],
      ['A', 'In: agents', ANNA, RE, 'References: {1}', PROVEN],
      ['A', 'In: agents', 'From: c6@firm.test', RE, 'References: {1} {2}'],
    ],
  },
  {
    what: 'is none where a colleague writes of something else',
    mails: [['-', 'In: agents', ANNA, 'Subject: Lunch', PROVEN]],
  },
  {
    what: 'is joined by an out-of-office note with our id, and by nothing else of that machine',
    mails: [
      ['A', 'From: c7@firm.test', ORDER],
      [
        'A',
        'From: c7@firm.test',
        'Subject: Automatic reply: Order',
        'Auto-Submitted: auto-replied',
        'In-Reply-To: {our A}',
      ],
      ['-', 'From: c7@firm.test', 'Subject: Automatic reply: Order', 'Auto-Submitted: auto-replied'],
      ['-', EVE, 'Subject: Automatic reply: Order', 'Auto-Submitted: auto-replied', 'In-Reply-To: {1}'],
    ],
  },
  {
    what: 'is none for lists and calendars',
    mails: [
      ['-', 'From: news@list.test', 'Subject: News', 'List-Id: <news.list.test>'],
      ['-', 'From: c8@firm.test', 'Subject: Meeting', 'Content-Type: text/calendar; method=REQUEST', 'BEGIN:VCALENDAR'],
    ],
  },
  {
    what: 'is one for what a program reports',
    mails: [['A', 'From: shop@program.test', 'Subject: Order', 'Auto-Submitted: auto-generated']],
  },
  {
    what: 'is joined by no bounce: that marks our answer',
    mails: [
      ['A', 'From: c9@firm.test', ORDER],
      ['-', 'From: MAILER-DAEMON@mx.test', 'Subject: Undelivered Mail Returned to Sender', 'In-Reply-To: {our A}'],
      ['-', 'From: MAILER-DAEMON@mx.test', 'Subject: Undelivered Mail Returned to Sender', 'In-Reply-To: {forged A}'],
    ],
  },
  {
    what: 'begins with a mail to our own group',
    mails: [
      [
        'A',
        'From: c10@firm.test',
        ORDER,
        'List-Id: <support.example.com>',
        'List-Post: <mailto:support@example.com>',
        'Precedence: list',
      ],
    ],
  },
  {
    what: 'is one for a mail to two addresses of a channel',
    mails: [
      [
        'A',
        OLENA,
        'To: support@example.com',
        'Message-ID: <two@shop.test>',
        ORDER,
        'Date: Sat, 31 Jan 2026 10:00:00 +0000',
      ],
      [
        'A',
        OLENA,
        'To: support@example.com',
        'Delivered-To: help@example.com',
        'Message-ID: <two@shop.test>',
        ORDER,
        'Date: Sat, 31 Jan 2026 10:00:00 +0000',
      ],
    ],
  },
  {
    what: 'is two for a mail to two channels',
    mails: [
      ['A', OLENA, 'Message-ID: <chan@shop.test>', ORDER, 'Date: Sat, 31 Jan 2026 10:00:00 +0000'],
      ['B', 'In: strict', OLENA, 'Message-ID: <chan@shop.test>', ORDER, 'Date: Sat, 31 Jan 2026 10:00:00 +0000'],
    ],
  },
  {
    what: 'is one for a mail to two channels that share their mail',
    mails: [
      [
        'A',
        'In: sales',
        'From: c11@firm.test',
        'Message-ID: <shared@firm.test>',
        ORDER,
        'Date: Sat, 31 Jan 2026 10:00:00 +0000',
      ],
      [
        'A',
        'In: service',
        'From: c11@firm.test',
        'Message-ID: <shared@firm.test>',
        ORDER,
        'Date: Sat, 31 Jan 2026 10:00:00 +0000',
      ],
      ['A', 'In: service', 'From: c11@firm.test', RE, 'References: <shared@firm.test>'],
      ['B', 'In: service', EVE, RE, 'References: <shared@firm.test>'],
    ],
  },
  {
    what: 'is that of whom a form names',
    mails: [
      ['A', 'In: forms', 'From: form@program.test', 'Subject: Contact', 'E-mail: f1@firm.test'],
      ['B', 'In: forms', 'From: form@program.test', 'Subject: Contact', 'E-mail: f2@firm.test'],
      ['A', 'In: forms', 'From: f1@firm.test', 'Subject: thanks', 'In-Reply-To: {our A}'],
    ],
  },
];
