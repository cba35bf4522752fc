import assert from 'node:assert/strict';
import { pathOf, qrOf } from '../console/src/sections/connect/qr.ts';

/** Of the standard, for level L: where small squares stand, and blocks as [how many, bytes of data], with bytes of correction. */
const versions: Readonly<
  Record<number, { lines: number[]; blocks: [number, number][]; check: number; info?: number }>
> = {
  1: { lines: [], blocks: [[1, 19]], check: 7 },
  2: { lines: [6, 18], blocks: [[1, 34]], check: 10 },
  6: { lines: [6, 34], blocks: [[2, 68]], check: 18 },
  7: { lines: [6, 22, 38], blocks: [[2, 78]], check: 20, info: 0x07c94 },
  9: { lines: [6, 26, 46], blocks: [[2, 116]], check: 30, info: 0x09a99 },
  10: {
    lines: [6, 28, 50],
    blocks: [
      [2, 68],
      [2, 69],
    ],
    check: 18,
    info: 0x0a4d3,
  },
  14: {
    lines: [6, 26, 46, 66],
    blocks: [
      [3, 115],
      [1, 116],
    ],
    check: 30,
    info: 0x0e60d,
  },
  32: { lines: [6, 34, 60, 86, 112, 138], blocks: [[17, 115]], check: 30, info: 0x209d5 },
  40: {
    lines: [6, 30, 58, 86, 114, 142, 170],
    blocks: [
      [19, 118],
      [6, 119],
    ],
    check: 30,
    info: 0x28c69,
  },
};
/** For level L and the masks 0 to 7. */
const formats = [0x77c4, 0x72f3, 0x7daa, 0x789d, 0x662f, 0x6318, 0x6c41, 0x6976];

type Rows = readonly (readonly boolean[])[];

function at(rows: Rows, x: number, y: number): boolean {
  return rows[y]?.[x] ?? assert.fail(`nothing at ${x}, ${y}`);
}

function numberAt(rows: Rows, places: readonly (readonly [number, number])[]): number {
  return places.reduce((value, [x, y]) => value * 2 + (at(rows, x, y) ? 1 : 0), 0);
}

/** A reader of its own: what it needs to know of a version stands above. */
function read(rows: Rows): string {
  const size = rows.length;
  const version = (size - 17) / 4;
  const { lines, blocks, check, info } = versions[version] ?? assert.fail(`version ${version} isn't known here`);
  const isFixed = frameIn(rows, version, lines);

  const down = [0, 1, 2, 3, 4, 5, 7, 8];
  const corner = [...down.map((x) => [x, 8] as const), ...[7, 5, 4, 3, 2, 1, 0].map((y) => [8, y] as const)];
  const format = numberAt(rows, corner);
  const far = [
    ...[1, 2, 3, 4, 5, 6, 7].map((step) => [8, size - step] as const),
    ...[8, 7, 6, 5, 4, 3, 2, 1].map((step) => [size - step, 8] as const),
  ];
  assert.equal(numberAt(rows, far), format, 'both copies of the format are the same');
  const mask = formats.indexOf(format);
  assert.ok(mask >= 0, `format ${format.toString(16)}`);
  if (version > 6) {
    const places = [5, 4, 3, 2, 1, 0].flatMap((y) => [9, 10, 11].map((step) => [size - step, y] as const));
    assert.equal(numberAt(rows, places), info);
    assert.equal(
      numberAt(
        rows,
        places.map(([x, y]) => [y, x] as const),
      ),
      info,
    );
  }

  const bits: boolean[] = [];
  let isUp = true;
  for (let x = size - 1; x > 0; x -= 2, isUp = !isUp) {
    if (x === 6) x = 5;
    for (let step = 0; step < size; step++) {
      const y = isUp ? size - 1 - step : step;
      for (const column of [x, x - 1]) {
        if (!isFixed(column, y)) bits.push(at(rows, column, y) !== isTurned(mask, column, y));
      }
    }
  }
  const words = Array.from({ length: Math.floor(bits.length / 8) }, (_, index) =>
    bits.slice(index * 8, index * 8 + 8).reduce((byte, bit) => byte * 2 + (bit ? 1 : 0), 0),
  );
  return textIn(dataIn(words, blocks, check), version);
}

function isTurned(mask: number, x: number, y: number): boolean {
  const rules = [
    (x + y) % 2,
    y % 2,
    x % 3,
    (x + y) % 3,
    (Math.floor(y / 2) + Math.floor(x / 3)) % 2,
    ((x * y) % 2) + ((x * y) % 3),
    (((x * y) % 2) + ((x * y) % 3)) % 2,
    (((x + y) % 2) + ((x * y) % 3)) % 2,
  ];
  return rules[mask] === 0;
}

/** Checks what every code has, and says where data is not. */
function frameIn(rows: Rows, version: number, lines: readonly number[]): (x: number, y: number) => boolean {
  const size = rows.length;
  const corner = ['11111110', '10000010', '10111010', '10111010', '10111010', '10000010', '11111110', '00000000'];
  corner.forEach((row, y) => {
    [...row].forEach((module, x) => {
      const isDark = module === '1';
      assert.equal(at(rows, x, y), isDark);
      assert.equal(at(rows, size - 1 - x, y), isDark);
      assert.equal(at(rows, x, size - 1 - y), isDark);
    });
  });
  for (let index = 8; index < size - 8; index++) {
    assert.equal(at(rows, index, 6), index % 2 === 0);
    assert.equal(at(rows, 6, index), index % 2 === 0);
  }
  assert.equal(at(rows, 8, size - 8), true);
  const last = lines.at(-1);
  const squares = lines
    .flatMap((x) => lines.map((y) => [x, y] as const))
    .filter(([x, y]) => !(x === 6 && y === 6) && !(x === 6 && y === last) && !(x === last && y === 6));
  for (const [x, y] of squares) {
    const around = ['11111', '10001', '10101', '10001', '11111'];
    around.forEach((row, dy) => {
      [...row].forEach((module, dx) => assert.equal(at(rows, x - 2 + dx, y - 2 + dy), module === '1'));
    });
  }
  return (x, y) =>
    (x < 9 && y < 9) ||
    (x > size - 9 && y < 9) ||
    (x < 9 && y > size - 9) ||
    x === 6 ||
    y === 6 ||
    squares.some(([cx, cy]) => Math.abs(x - cx) <= 2 && Math.abs(y - cy) <= 2) ||
    (version > 6 && ((x > size - 12 && y < 6) || (x < 6 && y > size - 12)));
}

/** Puts the blocks together again; each must be without an error. */
function dataIn(words: readonly number[], shape: readonly (readonly [number, number])[], check: number): number[] {
  const lengths = shape.flatMap(([count, bytes]) => Array.from({ length: count }, () => bytes));
  const blocks: number[][] = lengths.map(() => []);
  let next = 0;
  for (let index = 0; index < Math.max(...lengths); index++) {
    lengths.forEach((length, block) => {
      if (index < length) blocks[block]?.push(words[next++] ?? assert.fail('too few bytes'));
    });
  }
  const whole = blocks.map((block) => [...block]);
  for (let index = 0; index < check; index++) {
    for (const block of whole) block.push(words[next++] ?? assert.fail('too few bytes'));
  }
  assert.equal(next, words.length);
  for (const block of whole) assert.ok(isWithoutError(block, check));
  return blocks.flat();
}

/** Whether a block, as a polynomial, is zero at the powers of 2 that it was made for. */
function isWithoutError(block: readonly number[], check: number): boolean {
  const powers: number[] = [];
  for (let value = 1; powers.length < 255; value = value < 128 ? value * 2 : (value * 2) ^ 0x11d) powers.push(value);
  const times = (a: number, b: number) =>
    a === 0 || b === 0 ? 0 : (powers[(powers.indexOf(a) + powers.indexOf(b)) % 255] ?? 0);
  return powers
    .slice(0, check)
    .every((root) => block.reduce((value, coefficient) => times(value, root) ^ coefficient, 0) === 0);
}

function textIn(data: readonly number[], version: number): string {
  const bits = data.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  assert.equal(bits.slice(0, 4), '0100', 'in byte mode');
  const head = version < 10 ? 12 : 20;
  const count = parseInt(bits.slice(4, head), 2);
  const bytes = Array.from({ length: count }, (_, index) =>
    parseInt(bits.slice(head + index * 8, head + index * 8 + 8), 2),
  );
  return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
}

describe('a QR code of the console', () => {
  it('is read again as the text that it was made of, in every size', () => {
    const link = '2@Vq8x1vWm0Zs3yJ,k9Tt5rX/7fQ=,';
    for (const [length, version] of [
      [0, 1],
      [17, 1],
      [18, 2],
      [134, 6],
      [135, 7],
      [154, 7],
      [230, 9],
      [231, 10],
      [271, 10],
      [458, 14],
      [1952, 32],
      [2953, 40],
    ] as const) {
      const text = link.repeat(100).slice(0, length);
      const rows = qrOf(text) ?? assert.fail('no code');
      assert.equal((rows.length - 17) / 4, version, `${length} bytes`);
      assert.equal(read(rows), text);
    }
    assert.equal(read(qrOf('Відскануйте ✓') ?? []), 'Відскануйте ✓');
  });

  it('takes the mask that is read most easily', () => {
    const used = new Set<number>();
    for (let number = 0; number < 60; number++) {
      const rows = qrOf(`code ${number}`) ?? assert.fail('no code');
      assert.equal(read(rows), `code ${number}`);
      used.add(
        numberAt(
          rows,
          [2, 3, 4].map((x) => [x, 8] as const),
        ),
      );
    }
    assert.ok(used.size >= 3, `only ${[...used].join()}`);
  });

  it('is not made of more than fits', () => {
    assert.equal(qrOf('x'.repeat(2954)), undefined);
  });

  it('is drawn as a path', () => {
    assert.equal(
      pathOf([
        [true, false],
        [false, true],
      ]),
      'M0 0h1v1h-1zM1 1h1v1h-1z',
    );
  });
});
