import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columns, csv, markdown } from '../src/write.js';

const rows = [['name', 'note'], ['a|b', 'x'], ['größer', 'two\nlines']];

test('CSV', () => assert.equal(csv(rows), 'name,note\na|b,x\ngrößer,"two\nlines"\n'));
test('Markdown', () => assert.equal(markdown(rows), '| name | note |\n| --- | --- |\n| a\\|b | x |\n| größer | two<br>lines |\n'));
test('columns', () => assert.equal(columns([['a', 'bb'], ['größer', 1]]), 'a       bb\ngrößer  1\n'));
