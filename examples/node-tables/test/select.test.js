import assert from 'node:assert/strict';
import { test } from 'node:test';
import { by, where } from '../src/select.js';

const people = [{ name: 'mia', age: '9' }, { name: 'ada', age: '36' }, { name: 'lin', age: '9' }];
const names = (records) => records.map(({ name }) => name).join(' ');

test('numbers are sorted as numbers', () => assert.equal(names([...people].sort(by('age'))), 'mia lin ada'));
test('texts are sorted as texts', () => assert.equal(names([...people].sort(by('name'))), 'ada lin mia'));
test('where', () => assert.equal(names(people.filter(where({ age: '9' }))), 'mia lin'));
