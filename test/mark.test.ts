import assert from 'node:assert/strict';
import { markIn, markOf, withMark } from '../src/core/mark.ts';
import type { Message, Ticket } from '../src/core/ticket.ts';

const ticket = { id: 'tkt_01kaq', number: 17 } as Ticket;
const message = { id: 'msg_01kaq', revision: 2, deletedAt: null, delivery: null } as Message;
const about = { publicUrl: 'https://desk.example.com', ticket, message };
const written = withMark('<p>Where is it?</p>', about);

describe('What is written into a help desk', () => {
  it('begins with a link to our ticket, which says what it is', () => {
    assert.equal(
      written,
      '<p><a href="https://desk.example.com/t/tkt_01kaq#msg_01kaq.2">#17</a></p><p>Where is it?</p>',
    );
    assert.equal(markIn(written), markOf(message));
    const failed = { ...message, delivery: { state: 'failed', error: 'blocked' } } as Message;
    assert.equal(markIn(withMark('', { ...about, message: failed })), 'msg_01kaq.2.failed');
    const edit = { ...message, id: 'msg_01kaq-7', deletedAt: '2026-11-22T10:00:00.000Z' };
    assert.equal(markIn(withMark('', { ...about, message: edit })), 'msg_01kaq-7.2.deleted');
  });

  it('is known again whatever is put around it', () => {
    const sanitized = written.replace('<a ', '<a rel="noreferrer" target="_blank" ');
    assert.equal(markIn(`<div dir="ltr" class="fd">\n &nbsp; ${sanitized}</div>`), 'msg_01kaq.2');
  });

  it('is not what somebody wrote who quotes it, or links to somewhere else', () => {
    for (const html of [
      `Sure.<br>${written}`,
      `<p>On Monday he wrote:</p><blockquote>${written}</blockquote>`,
      '<a href="https://desk.example.com/t/tkt_01kaq">#17</a>',
      '<a href="https://example.com/#msg_01kaq.2">x</a>',
      '<a href="https://desk.example.com/t/tkt_01kaq#a b">x</a>',
      '<a name="x">#17</a>',
      `<a href="https://desk.example.com/t/tkt_01kaq#${'m'.repeat(300)}">x</a>`,
      `${'<p>'.repeat(1100)}Sure. ${written}`,
      'no link',
      '',
    ]) {
      assert.equal(markIn(html), undefined, html);
    }
  });

  it('is looked for in no time, however long it is', () => {
    const began = performance.now();
    markIn('<a '.repeat(300_000));
    markIn(`${'<p>'.repeat(300_000)}<a href="x">`);
    assert.ok(performance.now() - began < 1000);
  });
});
