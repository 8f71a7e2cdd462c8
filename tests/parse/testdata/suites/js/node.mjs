import { test, describe, it } from 'node:test';
import assert from 'node:assert';

test('passes', () => {});
test('fails # not a directive', () => { assert.strictEqual('a\nb', 'a\nc'); });
test('skipped', { skip: 'not here' }, () => {});
test('todo', { todo: true }, () => { assert.ok(false); });
describe('outer', () => {
  it('größer', () => {});
  describe('inner', () => {
    it('fails deep', () => { throw new Error('deep'); });
    it('passes deep', () => {});
  });
});
