import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBlocks } from '../../src/markdown/blocks.js';
import { outline, render } from '../../src/markdown/render.js';
import { seeded } from '../../support/random.js';

describe('blocks', () => {
  const kinds = (text) => parseBlocks(text).map(({ type }) => type);

  test('each kind is seen', () => {
    const text = '# h\n\ntext\nmore\n\n```js\n# no heading\n```\n\n> quote\n\n- item\n\n---\n\n| a |\n| - |\n| 1 |\n';
    assert.deepEqual(kinds(text), ['heading', 'paragraph', 'code', 'quote', 'list', 'rule', 'table']);
  });

  test('a fence that never closes takes the rest', () => {
    const [code] = parseBlocks('~~~ py\na\n\n# b');
    assert.deepEqual(code, { type: 'code', language: 'py', text: 'a\n\n# b' });
  });

  test('a list holds lists, paragraphs and code', () => {
    const [list] = parseBlocks('3. one\n\n   more\n   - a\n   - b\n4. two\n\n   ```\n   x\n   ```\n');
    assert.equal(list.start, 3);
    assert.equal(list.loose, true);
    assert.deepEqual(list.items[0].blocks.map(({ type }) => type), ['paragraph', 'paragraph', 'list']);
    assert.deepEqual(list.items[1].blocks[1], { type: 'code', language: '', text: 'x' });
  });

  test('tasks', () => {
    const [list] = parseBlocks('- [ ] open\n- [x] done\n- plain');
    assert.deepEqual(list.items.map(({ done }) => done), [false, true, undefined]);
  });

  test('a short table row is filled, a long one cut, a pipe escaped', () => {
    const [table] = parseBlocks('a | b\n:-- | :-:\n1\\|2 |\n1 | 2 | 3\n');
    assert.deepEqual(table.align, ['left', 'center']);
    assert.deepEqual(table.rows, [['1|2', ''], ['1', '2']]);
  });

  test('windows line ends', () => assert.deepEqual(kinds('# a\r\n\r\nb\r\n'), ['heading', 'paragraph']));
});

describe('render', () => {
  test('anchors are unique', () => {
    assert.deepEqual(
      outline('# Où?\n# ou\n## !!!\n# Ou').map(({ anchor }) => anchor),
      ['ou', 'ou-2', 'section', 'ou-3'],
    );
  });

  test('a tight list has no paragraphs, a loose one has', () => {
    assert.equal(render('- a\n- b'), '<ul>\n<li>a</li>\n<li>b</li>\n</ul>');
    assert.match(render('- a\n\n- b'), /<li><p>a<\/p><\/li>/);
  });

  test('html is text', () => assert.equal(render('<img onerror=x>'), '<p>&lt;img onerror=x&gt;</p>'));
});

const PIECES = ['# ', '- ', '1. ', '> ', '```', '|', '---', '*', '**', '_', '`', '[', '](', ')', '!', '<b>', '"', "'", '\n', '\n\n', '    ', 'word', 'é', '\\', '&', 'http://x.y'];

describe('any text at all', () => {
  for (let seed = 0; seed < 8; seed += 1) {
    test(`becomes balanced html, seed ${seed}`, () => {
      const random = seeded(seed);
      for (let round = 0; round < 400; round += 1) {
        const text = Array.from({ length: random.below(120) }, () => random.pick(PIECES)).join('');
        assertBalanced(render(text), text);
      }
    });
  }
});

/** Every tag that opens closes in order, and no attribute or text holds a bare < or an event handler. */
function assertBalanced(html, text) {
  const open = [];
  for (const [tag, slash, name] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:\s[^<>]*)?>/g)) {
    assert.doesNotMatch(tag, /\son\w+=/, text);
    if (['img', 'br', 'hr', 'input'].includes(name)) continue;
    if (slash) assert.equal(open.pop(), name, text);
    else open.push(name);
  }
  assert.deepEqual(open, [], text);
  assert.doesNotMatch(html.replace(/<\/?[a-z][a-z0-9]*(?:\s[^<>]*)?>/g, ''), /</, text);
}
