import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read } from '../src/read.js';

test('a quote within a field', () => assert.throws(() => read('a\nb"c'), /line 2, column 2/));
test('quotes without end', () => assert.throws(() => read('"a\nb'), /line 2: the text ends within quotes/));
