import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Limiter } from '../../src/http/limiter.js';
import { Router } from '../../src/http/router.js';

const router = new Router()
  .add('GET', '/', 'home')
  .add('GET', '/:name', 'note')
  .add('PUT', '/:name', 'write')
  .add('GET', '/api/notes', 'list')
  .add('GET', '/api/:thing/history', 'history')
  .add('GET', '/:a/notes/:b', 'deep');

describe('router', () => {
  for (const [path, handler, params] of [
    ['/', 'home', {}],
    ['/abc', 'note', { name: 'abc' }],
    ['/a%20b%2Fc', 'note', { name: 'a b/c' }],
    ['/api/notes', 'list', {}],
    ['/api/x/history', 'history', { thing: 'x' }],
    ['/api/notes/7', 'deep', { a: 'api', b: '7' }],
    ['/abc/', 'note', { name: 'abc' }],
  ]) {
    test(path, () => assert.deepEqual(router.find('GET', path), { handler, params }));
  }
  test('HEAD is a GET', () => assert.equal(router.find('HEAD', '/').handler, 'home'));
  test('a wrong method names the right ones', () => assert.deepEqual(router.find('POST', '/abc'), { allowed: ['GET', 'PUT'] }));
  test('nothing there', () => assert.equal(router.find('GET', '/a/b/c/d'), null));
  test('a broken escape', () => assert.equal(router.find('GET', '/%zz'), null));
  test('the same route twice is a mistake', () => assert.throws(() => new Router().add('GET', '/x', 1).add('GET', '/x', 2)));
});

describe('limiter', () => {
  test('a burst, then a steady rate, for each client', () => {
    let now = 0;
    const limiter = new Limiter({ perSecond: 10, burst: 3, now: () => now });
    assert.deepEqual([1, 2, 3].map(() => limiter.take('a')), [0, 0, 0]);
    assert.equal(limiter.take('a'), 100);
    assert.equal(limiter.take('b'), 0);
    now = 100;
    assert.equal(limiter.take('a'), 0);
    assert.equal(limiter.take('a'), 100);
  });

  test('never more than promised', () => {
    let now = 0;
    const limiter = new Limiter({ perSecond: 7, burst: 20, now: () => now });
    let passed = 0;
    for (let i = 0; i < 100_000; i += 1) {
      now += (i * 37) % 23;
      if (limiter.take('a') === 0) passed += 1;
    }
    assert.ok(passed <= 20 + (now / 1000) * 7 + 1e-6, `${passed} passed in ${now} ms`);
  });
});
