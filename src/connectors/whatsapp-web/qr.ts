/**
 * QR codes (ISO/IEC 18004) for a terminal: bytes, error correction L, versions 1 to 20, which hold up to 858 bytes. The
 * mask is always the first one: programs that read codes take any.
 */

/** By version: error-correcting codewords of a block, and blocks. */
const CORRECTING = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28];
const BLOCKS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8];
const FILL = [0xec, 0x11];
/** Level L and mask 0. */
const FORMAT = 0b01000;
/** Light modules around it; the standard has four, and two are read as well. */
const QUIET = 2;

type Modules = (boolean | undefined)[][];

/** Draws a text, two rows a line, light where characters stand: for terminals that are dark. */
export function drawQr(text: string): string {
  const dark = qrModules(text);
  const isLight = (row: number, column: number) => !dark[row]?.[column];
  const lines: string[] = [];
  for (let row = -QUIET; row < dark.length + QUIET; row += 2) {
    let line = '';
    for (let column = -QUIET; column < dark.length + QUIET; column++) {
      const upper = isLight(row, column);
      const lower = row + 1 < dark.length + QUIET && isLight(row + 1, column);
      line += upper ? (lower ? '█' : '▀') : lower ? '▄' : ' ';
    }
    lines.push(line);
  }
  return lines.join('\n');
}

/** The code, row by row; true is dark. Throws `RangeError` for more than 858 bytes. */
export function qrModules(text: string): boolean[][] {
  const bytes = Buffer.from(text);
  const version = versionFor(bytes.length);
  const modules = frameOf(version);
  place(modules, codewordsOf(bytes, version));
  return modules.map((row) => row.map((module) => module === true));
}

function versionFor(length: number): number {
  for (let version = 1; version <= CORRECTING.length; version++) {
    if (4 + lengthBits(version) + 8 * length <= 8 * dataCodewords(version)) return version;
  }
  throw new RangeError('too long for a QR code');
}

function lengthBits(version: number): number {
  return version < 10 ? 8 : 16;
}

function allCodewords(version: number): number {
  const places = version === 1 ? 0 : Math.floor(version / 7) + 2;
  const alignment = version === 1 ? 0 : (25 * places - 10) * places - 55;
  return Math.floor(((16 * version + 128) * version + 64 - alignment - (version < 7 ? 0 : 36)) / 8);
}

function dataCodewords(version: number): number {
  return allCodewords(version) - correctingOf(version) * blocksOf(version);
}

function correctingOf(version: number): number {
  return CORRECTING[version - 1] ?? 0;
}

function blocksOf(version: number): number {
  return BLOCKS[version - 1] ?? 1;
}

/** Data and its correction, block by block, then woven into each other. */
function codewordsOf(bytes: Buffer, version: number): number[] {
  const data = dataOf(bytes, version);
  const many = blocksOf(version);
  const short = Math.floor(data.length / many);
  const blocks: number[][] = [];
  for (let at = 0, block = 0; block < many; block++) {
    // The last ones are longer by one where it doesn't come out even.
    const size = short + (block < many - (data.length % many) ? 0 : 1);
    blocks.push(data.slice(at, at + size));
    at += size;
  }
  const corrections = blocks.map((block) => correctionOf(block, correctingOf(version)));
  return [...weave(blocks), ...weave(corrections)];
}

function weave(blocks: readonly number[][]): number[] {
  const longest = Math.max(...blocks.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => blocks.flatMap((block) => block.slice(at, at + 1))).flat();
}

function dataOf(bytes: Buffer, version: number): number[] {
  const counted = bytes.length.toString(2).padStart(lengthBits(version), '0');
  const bits = `0100${counted}${[...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')}`;
  const room = 8 * dataCodewords(version);
  const ended = bits.padEnd(Math.min(bits.length + 4, room), '0');
  const whole = ended.padEnd(Math.ceil(ended.length / 8) * 8, '0');
  const data = (whole.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
  for (let at = 0; data.length < room / 8; at++) data.push(FILL[at % 2] ?? 0);
  return data;
}

/** Reed-Solomon over GF(256) with the polynomial 0x11d. */
function correctionOf(data: readonly number[], size: number): number[] {
  let generator = [1];
  for (let power = 0, root = 1; power < size; power++, root = times(root, 2)) {
    const shifted = [...generator, 0];
    generator = shifted.map((factor, at) => factor ^ times(generator[at - 1] ?? 0, root));
  }
  const rest = [...data, ...Array<number>(size).fill(0)];
  for (let at = 0; at < data.length; at++) {
    const lead = rest[at] ?? 0;
    for (const [offset, factor] of generator.entries())
      rest[at + offset] = (rest[at + offset] ?? 0) ^ times(factor, lead);
  }
  return rest.slice(data.length);
}

function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

/** Everything but the data, which goes where it is undefined. */
function frameOf(version: number): Modules {
  const size = 17 + 4 * version;
  const modules: Modules = Array.from({ length: size }, () => Array<boolean | undefined>(size).fill(undefined));
  const set = (row: number, column: number, dark: boolean) => {
    const line = modules[row];
    if (line && column >= 0 && column < size) line[column] = dark;
  };
  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const row of placesOf(version, size)) {
    for (const column of placesOf(version, size)) {
      const isFinder = [row, column].every((at) => at === 6 || at === size - 7) && !(row > 6 && column > 6);
      if (!isFinder) square(row, column, 2, set);
    }
  }
  for (const [row, column] of [
    [3, 3],
    [3, size - 4],
    [size - 4, 3],
  ] as const)
    square(row, column, 4, set);
  writeFormat(size, set);
  if (version >= 7) writeVersion(version, size, set);
  return modules;
}

function placesOf(version: number, size: number): number[] {
  if (version === 1) return [];
  const many = Math.floor(version / 7) + 2;
  const step = Math.ceil((4 * version + 4) / (2 * many - 2)) * 2;
  return [6, ...Array.from({ length: many - 1 }, (_, at) => size - 7 - (many - 2 - at) * step)];
}

type Set = (row: number, column: number, dark: boolean) => void;

/** Rings around a point: dark in the middle and beside the last light one. */
function square(row: number, column: number, radius: number, set: Set): void {
  for (let down = -radius; down <= radius; down++) {
    for (let right = -radius; right <= radius; right++) {
      const ring = Math.max(Math.abs(down), Math.abs(right));
      set(row + down, column + right, radius === 4 ? ring !== 2 && ring !== 4 : ring !== 1);
    }
  }
}

function remainder(value: number, polynomial: number, bits: number): number {
  let rest = value;
  for (let bit = 0; bit < bits; bit++) rest = (rest << 1) ^ ((rest >> (bits - 1)) * polynomial);
  return rest;
}

function writeFormat(size: number, set: Set): void {
  const format = ((FORMAT << 10) | remainder(FORMAT, 0x537, 10)) ^ 0x5412;
  for (let bit = 0; bit < 15; bit++) {
    const dark = ((format >> bit) & 1) === 1;
    // Past the timing patterns in row and column 6.
    const near = bit < 6 ? bit : bit + 1;
    if (bit < 8) set(near, 8, dark);
    else set(8, bit === 8 ? 7 : 14 - bit, dark);
    if (bit < 8) set(8, size - 1 - bit, dark);
    else set(size - 15 + bit, 8, dark);
  }
  set(size - 8, 8, true);
}

function writeVersion(version: number, size: number, set: Set): void {
  const bits = (version << 12) | remainder(version, 0x1f25, 12);
  for (let bit = 0; bit < 18; bit++) {
    const dark = ((bits >> bit) & 1) === 1;
    const [far, near] = [size - 11 + (bit % 3), Math.floor(bit / 3)];
    set(far, near, dark);
    set(near, far, dark);
  }
}

/** In pairs of columns from the right, up and down in turn, the first mask over it. */
function place(modules: Modules, codewords: readonly number[]): void {
  const size = modules.length;
  let at = 0;
  let isUp = true;
  for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2, isUp = !isUp) {
    // Column 6 is no data.
    const first = right === 6 ? 5 : right;
    for (let step = 0; step < size; step++) {
      const row = isUp ? size - 1 - step : step;
      const line = modules[row] ?? [];
      for (const column of [first, first - 1]) {
        if (line[column] !== undefined) continue;
        const bit = ((codewords[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
        at++;
        line[column] = (bit === 1) !== ((row + column) % 2 === 0);
      }
    }
  }
}
