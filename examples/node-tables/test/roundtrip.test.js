import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read } from '../src/read.js';
import { csv } from '../src/write.js';

test('what is written is read as it was', () => {
  let seed = 7;
  const next = (n) => { seed = (seed * 1103515245 + 12345) % 2 ** 31; return seed % n; };
  for (let i = 0; i < 200; i++) {
    const rows = Array.from({ length: 1 + next(5) }, () => Array.from({ length: 2 + next(3) }, () => Array.from({ length: next(6) }, () => 'a",\n ü'[next(6)]).join('')));
    assert.deepEqual(read(csv(rows)), rows);
  }
});
