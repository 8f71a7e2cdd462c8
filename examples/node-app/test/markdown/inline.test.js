import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderInline } from '../../src/markdown/inline.js';

const CASES = [
  ['plain', 'plain'],
  ['*a* and _b_', '<em>a</em> and <em>b</em>'],
  ['**a *b* c**', '<strong>a <em>b</em> c</strong>'],
  ['***a***', '<strong><em>a</em></strong>'],
  ['~~gone~~', '<del>gone</del>'],
  ['2 * 3 * 4', '2 * 3 * 4'],
  ['snake_case_name', 'snake_case_name'],
  ['*never closed', '*never closed'],
  ['`a < b`', '<code>a &lt; b</code>'],
  ['`` a ` b ``', '<code>a ` b</code>'],
  ['*a `*` b*', '<em>a <code>*</code> b</em>'],
  ['\\*a\\*', '*a*'],
  ['a  \nb', 'a<br>\nb'],
  ['[text](http://x.y)', '<a href="http://x.y">text</a>'],
  ['[t](/a "title")', '<a href="/a" title="title">t</a>'],
  ['![alt <b>](pic.png)', '<img src="pic.png" alt="alt &lt;b&gt;">'],
  ['see http://a.b/c_d.', 'see <a href="http://a.b/c_d">http://a.b/c_d</a>.'],
  ['<script>', '&lt;script&gt;'],
];

for (const [text, html] of CASES) {
  test(JSON.stringify(text), () => assert.equal(renderInline(text), html));
}

test('no address that runs code becomes a link', () => {
  for (const url of ['javascript:alert(1)', 'JaVaScRiPt:alert(1)', '\u0001javascript:x', 'data:text/html,x', 'vbscript:x', '//evil.example', 'java\tscript:x']) {
    assert.doesNotMatch(renderInline(`[a](${url}) ![b](${url})`), /href|src/, url);
  }
});

test('deep nesting ends', () => {
  assert.ok(renderInline('*a **b '.repeat(300)).length > 0);
  assert.ok(renderInline('['.repeat(2000)).length > 0);
});
