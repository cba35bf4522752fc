import assert from 'node:assert/strict';
import { forwardIn } from '../src/connectors/email/text/forward.ts';
import { replyIn } from '../src/connectors/email/text/reply.ts';
import { foundIn, forwardCases, hasReplies, lostOf, ordinaryTexts, plain, replyCases } from './fakes/reply-corpus.ts';

/** Its collections contradict each other there: the line that another one wants gone is wanted. */
const CONTRADICTED = ['mail-parser-reply/email_nl_1_2.txt'];

/** Closings with a name are a signature to this collection and text to another one, whose whole texts we follow. */
const CLOSINGS = ['pl_1_1', 'pl_1_3', 'swedish_2', 'danish_1'].map((name) => `mail-parser-reply/email_${name}.txt`);

describe('texts of mails of other projects', function () {
  before(function () {
    if (!hasReplies) this.skip();
  });

  it('are cut down to what their authors say a person wrote, in at least 97 of 100', () => {
    const cases = replyCases().flatMap(({ expected, ...rest }) =>
      expected === undefined ? [] : [{ ...rest, expected }],
    );
    assert.equal(cases.length, 82);
    const wrong = cases.filter(({ text, expected }) => plain(replyIn(text)) !== plain(expected));
    assert.deepEqual(
      wrong.map(({ id }) => id),
      CONTRADICTED,
    );
  });

  it('lose no line that a person wrote', () => {
    const lost = replyCases().flatMap(({ id, text, expected }) =>
      expected === undefined || CONTRADICTED.includes(id)
        ? []
        : lostOf(replyIn(text), expected).map((line) => `${id}: ${line}`),
    );
    assert.deepEqual(lost, []);
  });

  it('show what must be shown, and nothing of what must not', () => {
    const wrong = replyCases().flatMap(({ id, text, present, absent }) => {
      const reply = plain(replyIn(text));
      const isRight = present.every((each) => reply.includes(each)) && !absent.some((each) => reply.includes(each));
      return isRight ? [] : [id];
    });
    assert.deepEqual(wrong.sort(), CLOSINGS.sort());
  });

  it('stay as they are when they are nothing but a question', () => {
    const texts = ordinaryTexts();
    assert.equal(texts.length, 2000);
    assert.deepEqual(
      texts.filter((text) => plain(replyIn(text)) !== plain(text)),
      [],
    );
  });

  it('give the mail that is passed on, with its people and its text', () => {
    const cases = forwardCases();
    assert.equal(cases.length, 134);
    const wrong = cases.flatMap(({ id, text, subject, wrongIn }) => {
      const fields = wrongIn(foundIn(forwardIn(text, subject)));
      return fields.length > 0 ? [`${id}: ${fields.join()}`] : [];
    });
    assert.deepEqual(wrong, []);
  });
});
