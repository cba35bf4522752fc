/** QR codes (ISO/IEC 18004) for texts, in byte mode with error correction L: what is shown on a screen has no stains. */

/** For the versions 1 to 40: bytes of error correction in a block, and blocks. */
const CORRECTION = [
  ...[7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28],
  ...[28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
];
const BLOCKS = [
  ...[1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8],
  ...[8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25],
];

type Square = boolean[][];

/** Rows of modules, true where it is dark, without the quiet zone (4 modules); undefined where the text is too long. */
export function qrOf(text: string): readonly (readonly boolean[])[] | undefined {
  const bytes = new TextEncoder().encode(text);
  for (let version = 1; version <= 40; version++) {
    const words = dataOf(bytes, version);
    if (words) return draw(version, interleaved(words, version));
  }
  return undefined;
}

/** Lines of an SVG path, one module wide each. */
export function pathOf(rows: readonly (readonly boolean[])[]): string {
  return rows.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
}

function tableAt(table: readonly number[], version: number): number {
  return table[version - 1] ?? 0;
}

/** Bytes of data and correction together. */
function capacityOf(version: number): number {
  let modules = (16 * version + 128) * version + 64;
  if (version > 1) {
    const lines = Math.floor(version / 7) + 2;
    modules -= (25 * lines - 10) * lines - 55;
  }
  if (version > 6) modules -= 36;
  return Math.floor(modules / 8);
}

/** The bytes with their head, filled up; undefined where they don't fit. */
function dataOf(bytes: Uint8Array, version: number): number[] | undefined {
  const room = capacityOf(version) - tableAt(CORRECTION, version) * tableAt(BLOCKS, version);
  const countBits = version < 10 ? 8 : 16;
  if (4 + countBits + bytes.length * 8 > room * 8) return undefined;
  const bits: number[] = [];
  const put = (value: number, length: number) => {
    for (let bit = length - 1; bit >= 0; bit--) bits.push((value >> bit) & 1);
  };
  put(4, 4);
  put(bytes.length, countBits);
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, room * 8 - bits.length));
  while (bits.length % 8 > 0) bits.push(0);
  for (let pad = 0xec; bits.length < room * 8; pad ^= 0xec ^ 0x11) put(pad, 8);
  return Array.from({ length: room }, (_, index) =>
    bits.slice(index * 8, index * 8 + 8).reduce((byte, bit) => byte * 2 + bit, 0),
  );
}

/** Blocks with their correction, byte by byte in turn. Blocks at the end may be one byte longer. */
function interleaved(words: readonly number[], version: number): number[] {
  const blocks = tableAt(BLOCKS, version);
  const correction = tableAt(CORRECTION, version);
  const short = Math.floor(words.length / blocks);
  const longer = words.length % blocks;
  const divisor = generatorOf(correction);
  let start = 0;
  const parts = Array.from({ length: blocks }, (_, index) => {
    const data = words.slice(start, (start += short + (index >= blocks - longer ? 1 : 0)));
    return { data, check: remainderOf(data, divisor) };
  });
  const inTurn = (lists: readonly (readonly number[])[], length: number) =>
    Array.from({ length }, (_, index) => lists.flatMap((list) => list.slice(index, index + 1))).flat();
  return [
    ...inTurn(
      parts.map(({ data }) => data),
      short + 1,
    ),
    ...inTurn(
      parts.map(({ check }) => check),
      correction,
    ),
  ];
}

/** In the field of 256 elements by x⁸ + x⁴ + x³ + x² + 1. */
function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ (product >> 7 ? 0x11d : 0);
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

/** (x − 1)(x − 2)(x − 4)…, without its first coefficient, which is 1. */
function generatorOf(degree: number): number[] {
  const result = Array.from({ length: degree }, (_, index): number => (index === degree - 1 ? 1 : 0));
  let root = 1;
  for (let turn = 0; turn < degree; turn++) {
    for (let index = 0; index < degree; index++) {
      result[index] = times(result[index] ?? 0, root) ^ (result[index + 1] ?? 0);
    }
    root = times(root, 2);
  }
  return result;
}

function remainderOf(data: readonly number[], divisor: readonly number[]): number[] {
  let rest = divisor.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ (rest[0] ?? 0);
    rest = divisor.map((coefficient, index) => (rest[index + 1] ?? 0) ^ times(coefficient, factor));
  }
  return rest;
}

const masks: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

function draw(version: number, words: readonly number[]): Square {
  const size = version * 4 + 17;
  const frame = frameOf(version, size);
  const places = placesOf(size, frame);
  const bits = words.flatMap((word) => Array.from({ length: 8 }, (_, bit) => ((word >> (7 - bit)) & 1) === 1));
  const drawn = masks.map((isTurned, mask) => {
    const square = frame.map((row) => row.map((module) => module === true));
    places.forEach(([x, y], index) => {
      put(square, x, y, (bits[index] ?? false) !== isTurned(x, y));
    });
    drawFormat(square, mask);
    return square;
  });
  return drawn.reduce((best, one) => (penaltyOf(one) < penaltyOf(best) ? one : best));
}

function put(square: (boolean | undefined)[][], x: number, y: number, isDark: boolean): void {
  const row = square[y];
  if (row && x >= 0 && x < square.length) row[x] = isDark;
}

/** What is the same for every text of a version; undefined where data goes. */
function frameOf(version: number, size: number): (boolean | undefined)[][] {
  const frame = Array.from({ length: size }, () => Array.from({ length: size }, (): boolean | undefined => undefined));
  for (let index = 0; index < size; index++) {
    put(frame, index, 6, index % 2 === 0);
    put(frame, 6, index, index % 2 === 0);
  }
  const rings = (left: number, top: number, radius: number, isDark: (distance: number) => boolean) => {
    for (let y = -radius; y <= radius; y++) {
      for (let x = -radius; x <= radius; x++) {
        put(frame, left + x, top + y, isDark(Math.max(Math.abs(x), Math.abs(y))));
      }
    }
  };
  for (const [x, y] of alignments(version, size)) rings(x, y, 2, (distance) => distance !== 1);
  for (const [x, y] of [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ] as const) {
    rings(x, y, 4, (distance) => distance !== 2 && distance !== 4);
  }
  drawFormat(frame, 0);
  if (version > 6) drawVersion(frame, version);
  return frame;
}

/** Centres of the small squares, all but where the three large ones are. */
function alignments(version: number, size: number): readonly (readonly [number, number])[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.floor((version * 8 + count * 3 + 5) / (count * 4 - 4)) * 2;
  const lines = [6, ...Array.from({ length: count - 1 }, (_, index) => size - 7 - (count - 2 - index) * step)];
  const last = size - 7;
  const isTaken = (x: number, y: number) => (x === 6 && y === 6) || (x === 6 && y === last) || (x === last && y === 6);
  return lines.flatMap((y) => lines.filter((x) => !isTaken(x, y)).map((x) => [x, y] as const));
}

/** A number with its check bits. */
function checked(value: number, checkBits: number, divisor: number): number {
  let rest = value;
  for (let turn = 0; turn < checkBits; turn++) rest = (rest << 1) ^ ((rest >> (checkBits - 1)) & 1 ? divisor : 0);
  return (value << checkBits) | (rest & ((1 << checkBits) - 1));
}

/** Correction and mask, twice. */
function drawFormat(square: (boolean | undefined)[][], mask: number): void {
  const size = square.length;
  const bits = checked((1 << 3) | mask, 10, 0x537) ^ 0x5412;
  for (let index = 0; index < 15; index++) {
    const isDark = ((bits >> index) & 1) === 1;
    // Around the first corner, stepping over the line of dots.
    if (index < 8) put(square, 8, index < 6 ? index : index + 1, isDark);
    else put(square, index === 8 ? 7 : 14 - index, 8, isDark);
    if (index < 8) put(square, size - 1 - index, 8, isDark);
    else put(square, 8, size - 15 + index, isDark);
  }
  put(square, 8, size - 8, true);
}

function drawVersion(square: (boolean | undefined)[][], version: number): void {
  const bits = checked(version, 12, 0x1f25);
  for (let index = 0; index < 18; index++) {
    const isDark = ((bits >> index) & 1) === 1;
    const far = square.length - 11 + (index % 3);
    put(square, far, Math.floor(index / 3), isDark);
    put(square, Math.floor(index / 3), far, isDark);
  }
}

/** Where data goes, in order: up and down in columns two wide, from the right, leaving out the line of dots. */
function placesOf(size: number, frame: readonly (readonly (boolean | undefined)[])[]): (readonly [number, number])[] {
  const columns: number[] = [];
  for (let right = size - 1; right > 0; right -= 2) columns.push(right <= 6 ? right - 1 : right);
  return columns.flatMap((right, turn) =>
    Array.from({ length: size }, (_, step) => (turn % 2 === 0 ? size - 1 - step : step))
      .flatMap((y) => [[right, y] as const, [right - 1, y] as const])
      .filter(([x, y]) => frame[y]?.[x] === undefined),
  );
}

/** How hard it is to read: runs, blocks, what looks like a corner, and more of one colour. */
function penaltyOf(square: Square): number {
  const columns = square.map((_, x) => square.map((row) => row[x] ?? false));
  const lines = [...square, ...columns].map((line) => line.map((isDark) => (isDark ? '1' : '0')).join(''));
  let penalty = 0;
  for (const line of lines) {
    for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) penalty += run.length - 2;
    for (const corner of ['10111010000', '00001011101']) penalty += 40 * (line.split(corner).length - 1);
  }
  square.forEach((row, y) => {
    row.forEach((isDark, x) => {
      const below = square[y + 1];
      if (row[x + 1] === isDark && below?.[x] === isDark && below[x + 1] === isDark) penalty += 3;
    });
  });
  const dark = square.flat().filter(Boolean).length / square.length ** 2;
  return penalty + 10 * Math.floor(Math.abs(dark - 0.5) * 20);
}
