/**
 * What the manager interface says: blocks of `Key: Value` lines with an empty line behind each.
 * https://docs.asterisk.org/Configuration/Interfaces/Asterisk-Manager-Interface-AMI/AMI-v2-Specification/
 */

/** One block. Keys in lower case, as versions write them differently; of a repeated one the first value. */
export type Block = ReadonlyMap<string, string>;

/** Key of a line without a colon: the greeting, which has no empty line behind it. */
export const WORDS = '';

/** Bytes of a line, and of a block, that are taken: what is longer is no event of a call. */
const MAX_LINE = 16 * 1024;
const MAX_BLOCK = 128 * 1024;

const NEWLINE = 0x0a;

/** Takes bytes apart into blocks, whatever they are cut into; holds no more than one block of bounded size. */
export function createBlockReader(): { readonly read: (bytes: Buffer) => Block[]; readonly dropped: () => number } {
  let rest: Buffer[] = [];
  let length = 0;
  let first: number | undefined;
  let block = new Map<string, string>();
  let size = 0;
  /** The line, or the block, is longer than it may be: the rest of it is passed over. */
  let isLong = false;
  let dropped = 0;

  function keep(part: Buffer): void {
    first ??= part[0];
    length += part.length;
    size += part.length;
    if (length > MAX_LINE || size > MAX_BLOCK) isLong = true;
    if (isLong) rest = [];
    // A copy: a few bytes would keep the whole of what came with them.
    else if (part.length > 0) rest.push(Buffer.from(part));
  }

  function endLine(): Block | undefined {
    const isEmpty = length === 0 || (length === 1 && first === 0x0d);
    const line = Buffer.concat(rest);
    rest = [];
    length = 0;
    first = undefined;
    if (!isEmpty) {
      if (!isLong) addLine(block, textOf(line));
      return undefined;
    }
    const done = block;
    if (isLong) dropped++;
    const isWhole = !isLong && done.size > 0;
    block = new Map();
    size = 0;
    isLong = false;
    return isWhole ? done : undefined;
  }

  return {
    read(bytes) {
      const blocks: Block[] = [];
      let from = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
        keep(bytes.subarray(from, end));
        const done = endLine();
        if (done) blocks.push(done);
        from = end + 1;
      }
      keep(bytes.subarray(from));
      return blocks;
    },
    dropped: () => dropped,
  };
}

function addLine(block: Map<string, string>, line: string): void {
  const colon = line.indexOf(':');
  const key = colon < 0 ? WORDS : line.slice(0, colon).trim().toLowerCase();
  if (!block.has(key)) block.set(key, colon < 0 ? line : line.slice(colon + 1).trim());
}

/** Names of callers come as phones and trunks wrote them: mostly UTF-8, else Latin-1. */
function textOf(line: Buffer): string {
  const end = line.at(-1) === 0x0d ? line.length - 1 : line.length;
  const bytes = line.subarray(0, end);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

/** What we say. A line break within a value would be another line: it can't be written. */
export function toBytes(fields: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(fields).map(([key, value]) => {
    if (/[\r\n\0]/.test(value)) throw new TypeError(`${key} has a line break in it`);
    return `${key}: ${value}\r\n`;
  });
  return Buffer.from(`${lines.join('')}\r\n`);
}
