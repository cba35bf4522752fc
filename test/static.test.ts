import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Worker } from 'node:worker_threads';
import ts from 'typescript';
import { attacksOn } from './fakes/regex-attacks.ts';

const SRC = join(import.meta.dirname, '../src');
const LENGTH = 100_000;
/** For one text. Generous: a pattern that is linear needs a millisecond, a quadratic one several seconds. */
const DEADLINE_MS = 2000;

interface Pattern {
  readonly where: string;
  readonly source: string;
  readonly flags: string;
}

describe('the code as it is written', function () {
  this.timeout(600_000);
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const path = join(SRC, name);
      return ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
    });

  it('has no regular expression that a text of 100 KB can hold up (B21)', async () => {
    const patterns = [
      ...new Map(files.flatMap(patternsOf).map((one) => [`/${one.source}/${one.flags}`, one])).values(),
    ];
    assert.ok(patterns.length > 10, 'the collector finds them');
    assert.deepEqual(await slowOnes(patterns), []);
  });

  it('would notice one that can be held up', async () => {
    const evil = ['\\s+$', '(x|x)*y', '<[^>]+>'];
    const patterns = evil.map((source) => ({ where: 'here', source, flags: 'u' }));
    const harmless = { where: 'here', source: '^\\s*(\\w{1,20})=("[^"]*"|[^;]*)', flags: '' };
    const found = await slowOnes([...patterns, harmless]);
    assert.deepEqual(
      found,
      evil.map((source) => `here: /${source}/u`),
    );
  });

  it('never reads Brotli, and never copies what was parsed with Object.assign (B04, B16)', () => {
    const found: string[] = [];
    for (const file of files) {
      visit(file, (node) => {
        if (ts.isIdentifier(node) && /^(create)?brotli.*decompress/i.test(node.text)) found.push(whereOf(file, node));
        if (ts.isCallExpression(node) && node.expression.getText(file) === 'Object.assign') {
          const [target] = node.arguments;
          if (target && ts.isObjectLiteralExpression(target)) found.push(whereOf(file, node));
        }
      });
    }
    assert.deepEqual(found, []);
  });
});

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => visit(child, look));
}

function whereOf(file: ts.SourceFile, node: ts.Node): string {
  const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
  return `${relative(join(SRC, '..'), file.fileName)}:${line + 1}`;
}

/** Every pattern of a file: literals, and `new RegExp('…')` of a constant text. */
function patternsOf(file: ts.SourceFile): Pattern[] {
  const patterns: Pattern[] = [];
  visit(file, (node) => {
    if (ts.isRegularExpressionLiteral(node)) {
      const [, source = '', flags = ''] = /^\/(.*)\/([a-z]*)$/su.exec(node.text) ?? [];
      patterns.push({ where: whereOf(file, node), source, flags });
    } else if (ts.isNewExpression(node) && node.expression.getText(file) === 'RegExp') {
      const [source, flags] = node.arguments ?? [];
      if (source && ts.isStringLiteralLike(source)) {
        const text = flags && ts.isStringLiteralLike(flags) ? flags.text : '';
        patterns.push({ where: whereOf(file, node), source: source.text, flags: text });
      }
    }
  });
  return patterns;
}

/** Runs each pattern in a worker against texts made to hold it up; returns those that didn't come back in time. */
async function slowOnes(patterns: readonly Pattern[]): Promise<string[]> {
  const slow: string[] = [];
  let worker = startWorker();
  for (const { where, source, flags } of patterns) {
    const texts = attacksOn(source, flags);
    if (await runs(worker, { source, flags, texts })) continue;
    slow.push(`${where}: /${source}/${flags}`);
    await worker.terminate();
    worker = startWorker();
  }
  await worker.terminate();
  return slow;
}

function startWorker(): Worker {
  // As `test` and `replace` use them: the first match, and all of them.
  const code = `
    const { parentPort } = require('node:worker_threads');
    parentPort.on('message', ({ source, flags, texts, length }) => {
      for (const { head, pump, tail } of texts) {
        const text = head + pump.repeat(Math.ceil(length / pump.length)) + tail;
        const pattern = new RegExp(source, flags);
        if (pattern.global) text.replace(pattern, '');
        else pattern.test(text);
        parentPort.postMessage('next');
      }
      parentPort.postMessage('done');
    });`;
  return new Worker(code, { eval: true, execArgv: [] });
}

function runs(worker: Worker, task: object): Promise<boolean> {
  return new Promise((resolve) => {
    let deadline = setTimeout(() => end(false), DEADLINE_MS);
    const end = (inTime: boolean): void => {
      clearTimeout(deadline);
      worker.removeAllListeners('message');
      resolve(inTime);
    };
    worker.on('message', (message) => {
      if (message === 'done') return end(true);
      clearTimeout(deadline);
      deadline = setTimeout(() => end(false), DEADLINE_MS);
    });
    worker.postMessage({ ...task, length: LENGTH });
  });
}
