import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createApp } from '../../src/app.js';
import { Limiter } from '../../src/http/limiter.js';
import { Store } from '../../src/store.js';

let directory;
let server;
let base;

before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'notes-app-'));
  server = createApp(await Store.open(directory), { limiter: new Limiter({ perSecond: 1e6, burst: 1e6 }) });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${server.address().port}`;
});
after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

async function call(method, url, body) {
  const response = await fetch(base + url, { method, body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
}

describe('the life of a note', () => {
  test('made, changed, compared, found, removed', async () => {
    const made = (await call('PUT', '/api/notes/Plan', { text: '# Plan\n\n<b>bold</b> move' })).json();
    const changed = (await call('PUT', '/api/notes/Plan', { text: '# Plan\n\ncareful move', base: made.revision })).json();
    assert.notEqual(changed.revision, made.revision);
    assert.equal((await call('PUT', '/api/notes/Plan', { text: 'late', base: made.revision })).status, 409);
    assert.equal((await call('GET', '/api/notes/Plan/history')).json().length, 2);

    const old = await call('GET', `/api/notes/Plan?revision=${made.revision}`);
    assert.match(old.json().text, /<b>bold/);
    const diff = await call('GET', `/Plan/diff?from=${made.revision}`);
    assert.match(diff.text, /<del>&lt;b&gt;bold/);
    assert.match(diff.text, /<ins>careful move/);

    const [hit] = (await call('GET', '/api/search?q=careful')).json();
    assert.equal(hit.name, 'Plan');
    assert.match((await call('GET', '/')).text, /<a href="\/Plan">Plan<\/a>/);
    assert.match((await call('GET', '/Plan')).text, /<h1 id="plan">Plan<\/h1>/);

    assert.equal((await call('DELETE', `/api/notes/Plan?base=${changed.revision}`)).status, 204);
    assert.equal((await call('GET', '/Plan')).status, 404);
  });
});

describe('bad requests', () => {
  for (const [name, method, url, body, status] of [
    ['no json', 'PUT', '/api/notes/x', 'hello', 400],
    ['a list', 'PUT', '/api/notes/x', [], 400],
    ['no text', 'PUT', '/api/notes/x', {}, 400],
    ['a name with a slash', 'PUT', '/api/notes/a%2Fb', { text: 'x' }, 400],
    ['too large', 'PUT', '/api/notes/x', { text: 'x'.repeat(3 << 20) }, 413],
    ['no such note', 'GET', '/api/notes/nothing', undefined, 404],
    ['no such place', 'GET', '/a/b/c/d/e', undefined, 404],
    ['a wrong method', 'POST', '/api/notes', {}, 405],
  ]) {
    test(name, async () => assert.equal((await call(method, url, body)).status, status));
  }

  test('what a reader typed never runs', async () => {
    await call('PUT', '/api/notes/evil', { text: '<script>alert(1)</script>\n\n[x](javascript:alert(1))' });
    const page = await call('GET', '/evil');
    assert.doesNotMatch(page.text, /<script|javascript:/);
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
  });
});

test('a flood is slowed down', async () => {
  const slow = createApp(await Store.open(directory), { limiter: new Limiter({ perSecond: 1, burst: 2 }) });
  await new Promise((resolve) => slow.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${slow.address().port}/api/notes`;
  const statuses = [];
  for (let i = 0; i < 3; i += 1) statuses.push((await fetch(url)).status);
  assert.deepEqual(statuses, [200, 200, 429]);
  slow.closeAllConnections();
  slow.close();
});
