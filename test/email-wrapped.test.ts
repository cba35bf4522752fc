import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { createReader } from '../src/connectors/email/read.ts';
import type { EnvelopeInput } from '../src/core/envelope.ts';
import type { Payload } from '../src/core/payload.ts';
import { fakeContext } from './fakes/context.ts';

const reader = createReader({ address: 'support@example.com', aliases: [], agents: ['@shop.test'] }, fakeContext());
const payload = (mail: string): Payload => ({
  endpointId: 'mail',
  receivedAt: Date.parse('2026-11-22T10:00:00Z'),
  method: 'STREAM',
  url: '',
  headers: {},
  body: Buffer.from(mail),
});

async function read(mail: string): Promise<EnvelopeInput> {
  const items = await reader.normalize(payload(mail));
  assert.equal(items[0]?.kind, 'message', JSON.stringify(items));
  return items[0];
}

const mixed = (from: string, ...parts: string[][]) =>
  [
    `From: ${from}`,
    'Content-Type: multipart/mixed; boundary=b',
    '',
    ...parts.flatMap((part) => ['--b', ...part]),
    '--b--',
    '',
  ].join('\n');

/** TNEF as Outlook writes it: attributes of the mail, then of each file. */
function tnef(...files: { title: string; long?: string; type?: string; content: string }[]): Buffer {
  const attribute = (level: number, id: number, value: Buffer) => {
    const head = Buffer.alloc(9);
    head.writeUInt8(level, 0);
    head.writeUInt32LE(id, 1);
    head.writeUInt32LE(value.length, 5);
    return Buffer.concat([head, value, Buffer.alloc(2)]);
  };
  const word = (...values: number[]) => Buffer.from(new Uint32Array(values).buffer);
  const filled = (value: Buffer) => Buffer.concat([value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
  const property = (type: number, id: number, value: Buffer) =>
    Buffer.concat([word(type + id * 0x10000), word(1, value.length), filled(value)]);
  const named = Buffer.concat([
    word(0x1e + 0x8001 * 0x10000),
    Buffer.alloc(16),
    word(1, 6),
    filled(Buffer.from('a\0b\0\0\0')),
    word(1, 2),
    filled(Buffer.from('x\0')),
  ]);
  const all = files.flatMap(({ title, long, type, content }) => [
    attribute(2, 0x00069002, Buffer.alloc(14)),
    attribute(2, 0x00018010, Buffer.from(`${title}\0`)),
    attribute(2, 0x0006800f, Buffer.from(content)),
    attribute(
      2,
      0x00069005,
      Buffer.concat([
        word(4),
        word(0x03 + 0x0e20 * 0x10000, 7),
        named,
        ...(long === undefined ? [] : [property(0x1f, 0x3707, Buffer.from(`${long}\0`, 'utf16le'))]),
        ...(type === undefined ? [] : [property(0x1e, 0x370e, Buffer.from(`${type}\0`))]),
      ]),
    ),
  ]);
  const head = Buffer.alloc(6);
  head.writeUInt32LE(0x223e9f78, 0);
  return Buffer.concat([head, attribute(1, 0x00089006, Buffer.from([0, 0, 1, 0])), ...all]);
}

const winmail = (bytes: Buffer) =>
  mixed(
    'olena@example.com',
    ['', 'See the files.'],
    [
      'Content-Type: application/ms-tnef; name=winmail.dat',
      'Content-Disposition: attachment; filename=winmail.dat',
      'Content-Transfer-Encoding: base64',
      '',
      bytes.toString('base64'),
    ],
  );

const FILES = tnef(
  { title: 'RECHNU~1.PDF', long: 'Рахунок 4512.pdf', type: 'application/pdf', content: 'invoice' },
  { title: 'note.txt', content: 'a note' },
);

describe('what is wrapped in a mail', () => {
  it('comes out of winmail.dat, with the names that people gave', async () => {
    const mail = winmail(FILES);
    const { attachments = [] } = await read(mail);
    assert.deepEqual(
      attachments.map(({ id, name, mediaType, size }) => [id, name, mediaType, size]),
      [
        ['3', 'winmail.dat', 'application/ms-tnef', FILES.length],
        ['3.1', 'Рахунок 4512.pdf', 'application/pdf', 7],
        ['3.2', 'note.txt', 'application/octet-stream', 6],
      ],
    );
    for (const [at, content] of ['invoice', 'a note'].entries()) {
      const file = attachments[at + 1]!;
      const attachment = { ...file, id: file.id, name: file.name, mediaType: file.mediaType };
      assert.equal((await buffer(await reader.download(attachment, payload(mail)))).toString(), content);
    }
  });

  it('stays in winmail.dat from where that is cut off, or when it is something else', async () => {
    for (let length = 0; length < FILES.length; length += 7) {
      const { attachments = [], text } = await read(winmail(FILES.subarray(0, length)));
      assert.equal(attachments[0]?.name, 'winmail.dat', `${length} bytes`);
      assert.equal(text, 'See the files.');
    }
    const lies = Buffer.from(FILES);
    lies.writeUInt32LE(0xffffffff, 11);
    assert.equal((await read(winmail(lies))).attachments?.length, 1);
  });

  const attached = [
    'Content-Type: message/rfc822',
    '',
    'From: Olena <olena@example.com>',
    'Subject: Order 4512',
    'Date: Sun, 22 Nov 2026 10:00:00 +0000',
    '',
    'It has not come.',
    '',
    '> Really?',
  ];

  it('is its author’s mail when a colleague attaches it', async () => {
    const { sender, subject, text, textFull, fields } = await read(
      mixed('Ann <ann@shop.test>', ['', 'Please help her.'], attached),
    );
    assert.deepEqual(sender, {
      name: 'Olena',
      identifiers: [{ kind: 'email', value: 'olena@example.com', trust: 'claimed' }],
    });
    assert.equal(subject, 'Order 4512');
    assert.equal(text, 'It has not come.');
    assert.match(textFull ?? '', /> Really\?/);
    assert.equal(fields?.forwardNote, 'Please help her.');
  });

  it('is a file when a customer attaches it, or a colleague several of them', async () => {
    const one = await read(mixed('bohdan@example.org', ['', 'Look.'], attached));
    assert.equal(one.sender.identifiers[0]?.value, 'bohdan@example.org');
    assert.equal(one.text, 'Look.');
    const two = await read(mixed('Ann <ann@shop.test>', ['', 'Look.'], attached, attached));
    assert.equal(two.sender.identifiers[0]?.value, 'ann@shop.test');
  });

  it('tells an invitation to those who have no calendar', async () => {
    const event = [
      'BEGIN:VCALENDAR',
      'BEGIN:VEVENT',
      'SUMMARY:Fitting\\, second',
      ' time',
      'DTSTART;TZID=Europe/Kyiv:20270503T100000',
      'DTEND:20270503T080000Z',
      'LOCATION:Kyiv',
      'BEGIN:VALARM',
      'SUMMARY:Alarm',
      'END:VALARM',
      'END:VEVENT',
      'END:VCALENDAR',
    ];
    const part = ['Content-Type: text/calendar; charset=utf-8', '', ...event];
    const told = 'Fitting, secondtime\n2027-05-03 10:00 Europe/Kyiv – 2027-05-03 08:00 UTC\nKyiv';
    assert.equal((await read(mixed('olena@example.com', part))).text, told);
    const { text, fields } = await read(mixed('olena@example.com', ['', 'Does that suit you?'], part));
    assert.equal(text, 'Does that suit you?');
    assert.equal(fields?.event, told);
  });
});
