import assert from 'node:assert/strict';
import { htmlToText } from '../src/core/html-text.ts';
import { toUploadForm } from '../src/core/upload-form.ts';
import { readForm } from './fakes/form-parts.ts';

describe('What was written in an editor, as text', () => {
  it('has no markup, and the line ends that one saw', () => {
    const html = '<style>p { x }</style><p>One &amp; two&nbsp;&lt;3</p><p>line<br>next</p><script>alert(1)</script>';
    assert.equal(htmlToText(html), 'One & two <3\nline\nnext');
    assert.equal(htmlToText('&amp;lt;b&amp;gt; <unclosed'), '&lt;b&gt;');
  });

  it('has characters where their numbers stood, and what is none as it was', () => {
    assert.equal(htmlToText('it&#39;s &#x2018;so&#8217;&#160;far&apos;'), "it's ‘so’ far'");
    assert.equal(htmlToText('&#0; &#xd800; &#9999999; &eacute;'), '&#0; &#xd800; &#9999999; &eacute;');
  });

  it('is not held up by half a megabyte of tags', () => {
    const began = performance.now();
    htmlToText('<'.repeat(200_000));
    htmlToText('<style>'.repeat(50_000));
    htmlToText('&#'.repeat(200_000));
    assert.ok(performance.now() - began < 2000);
  });
});

describe('A form with files', () => {
  const file = { field: 'attachments[]', name: 'a.txt', mediaType: 'text/plain', bytes: Buffer.from('one') };

  it('has a field once for each value of its list, and every file', async () => {
    const form = toUploadForm({ body: 'Привіт', 'tags[]': ['a', 'b'] }, file, undefined, { ...file, name: 'б.txt' });
    const { fields, files } = await readForm(form.type, form.body);
    assert.deepEqual(fields, { body: ['Привіт'], 'tags[]': ['a', 'b'] });
    assert.deepEqual(files, [file, { ...file, name: 'б.txt' }]);
  });

  it('gets no header from the name or the type of a file', async () => {
    const name = 'a"\r\nx-evil: 1\r\n\r\n.txt';
    const form = toUploadForm({}, { ...file, name, mediaType: 'text/plain\r\nx-evil: 1' });
    assert.ok(!form.body.includes('\nx-evil'));
    const { files } = await readForm(form.type, form.body);
    assert.deepEqual(
      files.map(({ mediaType, bytes }) => [mediaType, bytes.toString()]),
      [['text/plain', 'one']],
    );
  });
});
