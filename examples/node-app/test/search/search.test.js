import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SearchIndex } from '../../src/search/index.js';
import { parseQuery, snippet } from '../../src/search/query.js';
import { stem, words } from '../../src/search/tokenize.js';
import { seeded } from '../../support/random.js';

const TEXTS = {
  bread: 'Baking bread needs flour, water and patience. The baker baked two loaves.',
  soup: 'A soup of leeks and potatoes. Water, salt, patience.',
  trains: 'Trains to the sea leave at nine; the night train is slower.',
  cafe: 'The café by the sea bakes its own bread.',
};

function indexed(texts = TEXTS) {
  const index = new SearchIndex();
  for (const [id, text] of Object.entries(texts)) index.add(id, text);
  return index;
}

const found = (query, index = indexed()) => index.search(parseQuery(query)).map(({ id }) => id);

describe('tokenizer', () => {
  for (const [word, root] of [['loaves', 'loave'], ['baking', 'bak'], ['baked', 'bak'], ['stopped', 'stop'], ['cities', 'city'], ['glass', 'glass'], ['boxes', 'box'], ['sing', 'sing'], ['bus', 'bus'], ['slowly', 'slow']]) {
    test(`${word} → ${root}`, () => assert.equal(stem(word), root));
  }
  test('accents and case are folded', () => assert.deepEqual([...words('Café ÉTÉ')].map(({ word }) => word), ['cafe', 'ete']));
});

describe('search', () => {
  test('all words count', () => assert.deepEqual(found('bread sea'), ['cafe']));
  test('forms of a word are one', () => assert.deepEqual([found('needing'), found('Trains')], [['bread'], ['trains']]));
  test('the better match comes first', () => assert.equal(found('train')[0], 'trains'));
  test('prefix', () => assert.deepEqual(found('pat*').sort(), ['bread', 'soup']));
  test('phrase', () => assert.deepEqual(found('"night train"'), ['trains']));
  test('a phrase skips stop words but keeps their place', () => assert.deepEqual([found('"café by the sea"'), found('"café sea"')], [['cafe'], []]));
  test('without', () => assert.deepEqual(found('water -leeks'), ['bread']));
  test('nothing asked, nothing found', () => assert.deepEqual([found(''), found('the of'), found('-bread')], [[], [], []]));
  test('what is gone is not found', () => {
    const index = indexed();
    assert.equal(index.remove('trains'), true);
    assert.equal(index.remove('trains'), false);
    assert.deepEqual(found('train', index), []);
  });
});

describe('snippets', () => {
  test('show the place and mark the words', () => {
    const text = `${'filler '.repeat(100)}the night train is slower ${'filler '.repeat(100)}`;
    const shown = snippet(text, parseQuery('train'), 60);
    assert.match(shown, /\*\*train\*\*/);
    assert.ok(shown.length < 80 && shown.startsWith('…') && shown.endsWith('…'), shown);
  });
});

describe('against a plain scan', () => {
  const VOCABULARY = Array.from({ length: 60 }, (_, i) => `w${String.fromCharCode(97 + (i % 26))}${String.fromCharCode(97 + ((i * 7) % 26))}${i}x`);
  for (let seed = 0; seed < 6; seed += 1) {
    test(`seed ${seed}`, () => {
      const random = seeded(seed);
      const index = new SearchIndex();
      const texts = new Map();
      for (let step = 0; step < 900; step += 1) {
        const id = `d${random.below(150)}`;
        if (random.below(5) === 0) {
          assert.equal(index.remove(id), texts.delete(id));
        } else {
          const text = Array.from({ length: 1 + random.below(80) }, () => random.pick(VOCABULARY)).join(' ');
          index.add(id, text);
          texts.set(id, text);
        }
        const [a, b, c] = [random.pick(VOCABULARY), random.pick(VOCABULARY), random.pick(VOCABULARY)];
        const scan = (matches) => [...texts].filter(([, text]) => matches(text.split(' '))).map(([found]) => found).sort();
        const search = (query) => index.search(parseQuery(query), 1000).map(({ id: found }) => found).sort();
        assert.deepEqual(search(`${a} ${b} -${c}`), scan((all) => all.includes(a) && all.includes(b) && !all.includes(c)));
        assert.deepEqual(search(`"${a} ${b}"`), scan((all) => all.some((word, i) => word === a && all[i + 1] === b)));
        assert.equal(index.size, texts.size);
      }
    });
  }
});
