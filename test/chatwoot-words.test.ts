import assert from 'node:assert/strict';
import { fromMarkdown, toMarkdown } from '../src/dispatch/chatwoot/markdown.ts';

describe('Words on their way to Chatwoot and back', () => {
  it('show no link, picture, emphasis, code or variable that somebody else wrote', () => {
    assert.equal(
      toMarkdown('[bank](https://evil.example.com) ![x](y) *a* __init__ `rm` <b> {{contact.email}} {% x %} \\[z](y)'),
      String.raw`\[bank\](https://evil.example.com) !\[x\](y) \*a\* \_\_init\_\_ \`rm\` \<b> \{\{contact.email}} \{% x %} \\\[z\](y)`,
    );
    assert.equal(toMarkdown('https://example.com/a_b?c=_d\n x'), 'https://example.com/a_b?c=_d\n x');
  });

  it('come back as they were, and what an agent wrote without marks of the editor', () => {
    const text = 'a_b * [c](https://d.example.com) {e} \\ `f`\nnext <g>';
    assert.equal(fromMarkdown(toMarkdown(text)), text);
    assert.equal(fromMarkdown('one\\\ntwo\\.'), 'one\ntwo.');
    assert.equal(fromMarkdown('[https://a.example.com](https://a.example.com)'), 'https://a.example.com');
    assert.equal(fromMarkdown('[a [b] c](https://d.example.com) ]( x'), '[a b] c (https://d.example.com) ]( x');
    const none = 'see [1](not an address) and ](x) [y\nz](https://a.example.com) **kept**';
    assert.equal(fromMarkdown(none), none);
    assert.equal(fromMarkdown('x](https://d.example.com)'), 'x](https://d.example.com)');
  });
});
