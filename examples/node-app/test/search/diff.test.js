import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { diffLines, summary } from '../../src/diff.js';
import { seeded } from '../../support/random.js';

const side = (edits, gone) => edits.filter(({ kind }) => kind !== gone).map(({ text }) => text).join('\n');

describe('diff', () => {
  for (const [before, after, added, removed] of [
    ['', '', 0, 0],
    ['a', 'a', 0, 0],
    ['', 'a\nb', 2, 0],
    ['a\nb', '', 0, 2],
    ['a\nb\nc', 'a\nx\nc', 1, 1],
    ['a\nb\nc\na\nb\nb\na', 'c\nb\na\nb\na\nc', 2, 3],
  ]) {
    test(JSON.stringify([before, after]), () => assert.deepEqual(summary(diffLines(before, after)), { added, removed }));
  }
});

/** The length of the longest common subsequence, the slow and sure way. */
function longest(a, b) {
  const row = new Array(b.length + 1).fill(0);
  for (const x of a) {
    let diagonal = 0;
    for (let j = 1; j <= b.length; j += 1) {
      const above = row[j];
      row[j] = x === b[j - 1] ? diagonal + 1 : Math.max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return row[b.length];
}

describe('any two texts', () => {
  for (let seed = 0; seed < 10; seed += 1) {
    test(`rebuild both sides with the fewest edits, seed ${seed}`, () => {
      const random = seeded(seed);
      for (let round = 0; round < 150; round += 1) {
        const text = () => Array.from({ length: 1 + random.below(60) }, () => random.pick(['a', 'b', 'c', 'd', ' '])).join('\n');
        const [before, after] = [text(), text()];
        const edits = diffLines(before, after);
        assert.equal(side(edits, 'added'), before);
        assert.equal(side(edits, 'removed'), after);
        const same = edits.filter(({ kind }) => kind === 'same').length;
        assert.equal(same, longest(before.split('\n'), after.split('\n')));
      }
    });
  }

  test('a small change in a long text is quick to find', () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `line ${i}`);
    const changed = lines.with ? lines.with(25_000, 'new') : lines.map((line, i) => (i === 25_000 ? 'new' : line));
    assert.deepEqual(summary(diffLines(lines.join('\n'), changed.join('\n'))), { added: 1, removed: 1 });
  });
});
