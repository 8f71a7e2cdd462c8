import assert from 'node:assert/strict';
import { test } from 'node:test';
import { safeUrl, slug } from '../../src/markdown/escape.js';
import { html, page, raw, toText } from '../../src/template.js';

test('values are escaped, lists joined, nothing left out', () => {
  const items = ['<a>', '"b"'].map((item) => html`<li title="${item}">${item}</li>`);
  assert.equal(toText(html`<ul>${items}${null}${false}${0}</ul>`), '<ul><li title="&lt;a&gt;">&lt;a&gt;</li><li title="&quot;b&quot;">&quot;b&quot;</li>0</ul>');
});

test('raw html stays', () => assert.equal(toText(html`${raw('<hr>')}`), '<hr>'));

test('a page escapes its title', () => assert.match(page('</title><script>', html``), /<title>&lt;\/title&gt;&lt;script&gt;<\/title>/));

test('slugs', () => {
  assert.deepEqual(['Hello, World!', 'Où est-ce?', '漢字 101', '---'].map(slug), ['hello-world', 'ou-est-ce', '漢字-101', '']);
});

test('addresses', () => {
  assert.deepEqual(
    ['http://a.b', 'mailto:a@b', '/x', '#x', 'a.html', 'javascript:x', ' java\nscript:x', '//a.b', ''].map(safeUrl),
    ['http://a.b', 'mailto:a@b', '/x', '#x', 'a.html', null, null, null, null],
  );
});
