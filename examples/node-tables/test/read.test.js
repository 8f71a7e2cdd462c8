import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read, records } from '../src/read.js';

for (const [what, text, want] of [
  ['nothing', '', []],
  ['one field', 'a', [['a']]],
  ['a row that is ended', 'a,b\n', [['a', 'b']]],
  ['empty fields', ',\n,', [['', ''], ['', '']]],
  ['Windows ends of lines', 'a\r\nb\r\n', [['a'], ['b']]],
  ['quotes', '"a,""b""\nc",d\n', [['a,"b"\nc', 'd']]],
]) {
  test(`reads ${what}`, () => assert.deepEqual(read(text), want));
}

test('another separator', () => assert.deepEqual(read('a;b,c', { separator: ';' }), [['a', 'b,c']]));
test('records', () => assert.deepEqual(records('n,w\n1,x\n2\n'), [{ n: '1', w: 'x' }, { n: '2', w: '' }]));
