import assert from 'node:assert/strict';
import { test } from 'node:test';
import { join } from '../src/select.js';

test('join', () => {
  const got = join([{ id: '1', n: 'a' }, { id: '2', n: 'b' }], [{ id: '1', colour: 'red', n: 'other' }], 'id');
  assert.deepEqual(got, [{ id: '1', colour: 'red', n: 'a' }, { id: '2', n: 'b' }]);
});
