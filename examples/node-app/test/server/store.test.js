import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { Conflict, Invalid, NotFound, Store } from '../../src/store.js';
import { seeded } from '../../support/random.js';

const made = [];
let directory;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'notes-'));
  made.push(directory);
});
after(() => Promise.all(made.map((each) => rm(each, { recursive: true, force: true }))));

describe('store', () => {
  test('a note comes back after a restart, with its history', async () => {
    const store = await Store.open(directory);
    const first = await store.write('Shopping list', 'bread', null);
    const second = await store.write('Shopping list', 'bread, milk', first.revision);
    const again = await Store.open(directory);
    assert.deepEqual(again.get('Shopping list'), second);
    assert.equal(again.get('Shopping list', first.revision).text, 'bread');
    assert.equal(again.history('Shopping list').length, 2);
    assert.deepEqual(again.search('milk').map(({ name }) => name), ['Shopping list']);
  });

  test('who has seen an old revision may not write', async () => {
    const store = await Store.open(directory);
    const first = await store.write('a', '1', null);
    await store.write('a', '2', first.revision);
    await assert.rejects(store.write('a', '3', first.revision), Conflict);
    await assert.rejects(store.write('a', '3', null), Conflict);
    await assert.rejects(store.remove('a', first.revision), Conflict);
    assert.equal(store.get('a').text, '2');
  });

  test('names that would leave the directory are refused', async () => {
    const store = await Store.open(directory);
    for (const name of ['', '.', '../x', 'a/b', 'a\0', ' a', 'x'.repeat(101)]) {
      assert.throws(() => store.write(name, 'x', null), Invalid, JSON.stringify(name));
    }
    assert.deepEqual(await readdir(directory), []);
  });

  test('a removed note is gone from list, search and disk', async () => {
    const store = await Store.open(directory);
    const { revision } = await store.write('a', 'needle', null);
    await store.remove('a', revision);
    assert.throws(() => store.get('a'), NotFound);
    assert.deepEqual([store.list(), store.search('needle'), await readdir(directory)], [[], [], []]);
  });

  test('half a file that a crash left is cleared away', async () => {
    await writeFile(path.join(directory, 'abc.json.part'), '{"name":');
    const store = await Store.open(directory);
    assert.deepEqual([store.list(), await readdir(directory)], [[], []]);
  });
});

describe('many writers', () => {
  for (let seed = 0; seed < 3; seed += 1) {
    test(`lose nothing, seed ${seed}`, async () => {
      const random = seeded(seed);
      const store = await Store.open(directory);
      const count = new Map();
      const writer = async () => {
        for (let i = 0; i < 25; i += 1) {
          const name = `n${random.below(4)}`;
          for (;;) {
            let base = null;
            let text = '0';
            try {
              ({ revision: base, text } = store.get(name));
            } catch (error) {
              assert.ok(error instanceof NotFound);
            }
            try {
              await store.write(name, String(Number(text) + 1), base);
              count.set(name, (count.get(name) ?? 0) + 1);
              break;
            } catch (error) {
              assert.ok(error instanceof Conflict, error);
            }
          }
        }
      };
      await Promise.all(Array.from({ length: 8 }, writer));
      const again = await Store.open(directory);
      for (const [name, n] of count) assert.equal(again.get(name).text, String(n), name);
    });
  }
});
