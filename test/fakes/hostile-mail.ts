/** Mails that attack whoever reads them: section C of the list of attacks, each kind in several sizes. */

type Kind = (size: number, seed: number) => string;

const head = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`;
const typed = (type: string, body: string) => head('From: eve@example.test', `Content-Type: ${type}`) + body;
const nested = (depth: number) =>
  Array.from({ length: depth }, (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\r\n\r\n--b${at}\r\n`).join(
    '',
  );

export const kinds: Readonly<Record<string, Kind>> = {
  'multiparts within multiparts': (size) => `From: eve@example.test\r\n${nested(size / 10)}\r\nhello`,
  'many parts': (size) => typed('multipart/mixed; boundary=x', '--x\r\n\r\nhello\r\n'.repeat(size)),
  'empty parts': (size) => typed('multipart/mixed; boundary=x', '--x\r\n'.repeat(size)),
  'mails within mails': (size) => 'Content-Type: message/rfc822\r\n\r\n'.repeat(size),
  'a boundary that never ends': (size) => typed('multipart/mixed; boundary=x', `--x\r\n\r\n${'y'.repeat(size * 10)}`),
  'boundaries that begin alike': (size) =>
    typed(`multipart/mixed; boundary=${'x'.repeat(1000)}`, `--${'x'.repeat(999)}\r\n`.repeat(size / 100)),
  'a sender without a blank': (size) => head(`From: ${'x'.repeat(size * 10)}`) + 'hello',
  'a sender of comments': (size) => head(`From: ${'a(c)'.repeat(size)}`) + 'hello',
  'a sender of quotes': (size) => head(`From: ${'"\\'.repeat(size)}`) + 'hello',
  'a sender of brackets': (size) => head(`From: ${'<'.repeat(size)}a@b${'>'.repeat(size)}`) + 'hello',
  'groups within groups': (size) => head('From: eve@example.test', `To: ${'g:'.repeat(size)}`) + 'hello',
  'many recipients': (size) => head('From: eve@example.test', `To: ${'a@example.test, '.repeat(size)}`) + 'hello',
  'more than one @': (size) => head(`From: ${'a@'.repeat(size)}example.test`) + 'hello',
  'words that never end': (size) => head('From: eve@example.test', `Subject: ${'=?'.repeat(size * 10)}`) + 'hello',
  'many words': (size) => head('From: eve@example.test', `Subject: ${'=?utf-8?Q?a?= '.repeat(size)}`) + 'hello',
  'words without their end': (size) =>
    head('From: eve@example.test', `Subject: =?a?q?${'é'.repeat(size * 5)}`) + 'hello',
  'line ends in a word': () =>
    head('From: eve@example.test', 'Subject: =?utf-8?Q?a=0D=0ABcc:_victim=40example.test?=') + 'hello',
  'many headers': (size) => head('From: eve@example.test', ...Array.from({ length: size }, () => 'X-A: b')) + 'hello',
  'one long header': (size) => head('From: eve@example.test', `X-A: ${'b'.repeat(size * 50)}`) + 'hello',
  'many references': (size) => head('From: eve@example.test', `References: ${'<a@b> '.repeat(size)}`) + 'hello',
  'references without brackets': (size) =>
    head('From: eve@example.test', `References: ${'<'.repeat(size * 5)}`) + 'hello',
  'many parameters': (size) => typed(`text/plain${'; a=b'.repeat(size)}`, 'hello'),
  'a name in many pieces': (size) =>
    typed(
      `image/png; ${Array.from({ length: size / 10 }, (_, at) => `name*${size - at}*=a`).join('; ')}; name*99999*=b`,
      'x',
    ),
  'blank lines that continue': (size) => `From: eve@example.test\r\nSubject: a\r\n${' \r\n'.repeat(size)}\r\nhello`,
  'line ends of every kind': (size, seed) =>
    `From: eve@example.test\rSubject: a\n\r\r\n${'a\r\r\nb\n\rc\0'.repeat(size / 10)}${seed}`,
  'base64 of nonsense': (size) =>
    `From: eve@example.test\r\nContent-Transfer-Encoding: base64\r\n\r\n${'!= '.repeat(size * 10)}`,
  'soft line breaks': (size) =>
    `From: eve@example.test\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${'= \t=\r\n'.repeat(size * 10)}`,
  'blanks in quoted-printable': (size) =>
    `From: eve@example.test\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${' '.repeat(size * 50)}x`,
  'lines that flow': (size) => typed('text/plain; format=flowed; delsp=yes', 'a \r\n'.repeat(size * 10)),
  'unknown charset': (size) => typed('text/plain; charset=x-nothing-like-it', '\xe9'.repeat(size * 10)),
  'escapes of charsets': (size) => typed('text/plain; charset=iso-2022-jp', '\x1b$B!\x1b(B'.repeat(size)),
  'utf-7 markup': () => typed('text/html; charset=utf-7', '+ADw-script+AD4-alert(1)+ADw-/script+AD4-'),
  'deep markup': (size) => typed('text/html', '<b>'.repeat(size * 4)),
  'open markup': (size) => typed('text/html', '<'.repeat(size * 50)),
  'comments in markup': (size) => typed('text/html', '<!--'.repeat(size * 10)),
  'tables within tables': (size) => typed('text/html', '<table><tr><td>'.repeat(size / 20)),
  'many attributes': (size) => typed('text/html', `<a ${'x=y '.repeat(size * 5)}>hello</a>`),
  'many images': (size) => typed('text/html', '<img src="cid:a">'.repeat(size)),
  'piles of accents': (size) => typed('text/plain; charset=utf-8', `a${'\xcc\xa7\xcc\x81'.repeat(size * 10)}`),
  'piles of accents in the subject': (size) =>
    head('From: eve@example.test', `Subject: a${'\xcc\xa7\xcc\x81'.repeat(size)}`) + 'hello',
  'impossible times': (_size, seed) => head('From: eve@example.test', `Date: ${seed} Foo 99999 +9999`) + 'hello',
  'bytes of all kinds': (size, seed) => Array.from({ length: size }, (_, at) => byteAt(at, seed)).join(''),
};

/** The same bytes every time. */
function byteAt(at: number, seed: number): string {
  return String.fromCharCode(((at * 2_654_435_761 + seed * 40_503) >>> 7) & 255);
}

const SIZES = [10, 100, 1000, 10_000];

/** `count` different mails, of all kinds in turn. */
export function hostileMails(count: number): { readonly kind: string; readonly bytes: Buffer }[] {
  const all = Object.entries(kinds);
  return Array.from({ length: count }, (_, seed) => {
    const [kind, make] = all[seed % all.length]!;
    const size = SIZES[Math.floor(seed / all.length) % SIZES.length]!;
    return { kind, bytes: Buffer.from(`X-Number: ${seed}\r\n${make(size, seed)}`, 'latin1') };
  });
}
