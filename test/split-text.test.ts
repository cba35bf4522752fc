import assert from 'node:assert/strict';
import { splitText } from '../src/core/split-text.ts';

describe('A long text', () => {
  it('is cut at lines, else at words, else between characters', () => {
    assert.deepEqual(splitText('', 10), []);
    assert.deepEqual(splitText('  \n ', 10), []);
    assert.deepEqual(splitText('0123456789', 10), ['0123456789']);
    assert.deepEqual(splitText('012345\n789ab', 10), ['012345', '789ab']);
    assert.deepEqual(splitText('0123456 89ab', 10), ['0123456', '89ab']);
    assert.deepEqual(splitText('0123456789 b', 10), ['0123456789', 'b']);
    assert.deepEqual(splitText('a bcdefghijklm', 10), ['a bcdefghi', 'jklm']);
    assert.deepEqual(splitText(`${'😀'.repeat(5)}!`, 9), ['😀😀😀😀', '😀!']);
  });
});
