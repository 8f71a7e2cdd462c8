import { words } from './tokenize.js';

/**
 * Reads what a person types: words (all of them), "exact phrases", prefix*, and -without.
 * Returns { terms, phrases, excluded }; never throws.
 */
export function parseQuery(text) {
  const query = { terms: [], phrases: [], excluded: [] };
  for (const match of text.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/g)) {
    const [, minus, quoted, bare] = match;
    if (quoted !== undefined) {
      addPhrase(query, quoted, minus);
      continue;
    }
    const found = [...words(bare)];
    found.forEach(({ word, term, stop }, i) => {
      const prefix = bare.endsWith('*') && i === found.length - 1;
      if (stop && !prefix) return;
      (minus ? query.excluded : query.terms).push(prefix ? { term: word, prefix } : { term, prefix: false });
    });
  }
  return query;
}

function addPhrase(query, quoted, minus) {
  const phrase = [...words(quoted)].filter(({ stop }) => !stop).map(({ term, position }) => ({ term, offset: position }));
  if (phrase.length === 0) return;
  if (minus) query.excluded.push(...phrase.map(({ term }) => ({ term, prefix: false })));
  else query.phrases.push(phrase);
}

/** The stretch of a text that shows a query best, at most `length` characters, with the words marked by `mark`. */
export function snippet(text, query, length = 160, mark = (word) => `**${word}**`) {
  const wanted = new Set([...query.terms, ...query.phrases.flat()].map(({ term }) => term));
  const prefixes = query.terms.filter(({ prefix }) => prefix).map(({ term }) => term);
  const hits = (word) => [...words(word)].some(({ word: w, term }) => wanted.has(term) || prefixes.some((p) => w.startsWith(p)));
  const pieces = text.replace(/\s+/g, ' ').split(/(?<= )/);
  let best = { from: 0, score: -1 };
  const scored = pieces.map((piece) => (hits(piece) ? 1 : 0));
  for (let from = 0; from < pieces.length; from += 1) {
    let score = 0;
    for (let i = from, used = 0; i < pieces.length && used + pieces[i].length <= length; i += 1) {
      score += scored[i];
      used += pieces[i].length;
    }
    if (score > best.score) best = { from, score };
    if (from > 2000) break; // long enough a look for a line of text
  }
  let shown = '';
  let used = 0;
  let i = best.from;
  for (; i < pieces.length && used + pieces[i].length <= length; i += 1) {
    used += pieces[i].length;
    shown += scored[i] ? pieces[i].replace(/[\p{L}\p{N}][\p{L}\p{N}'-]*/u, mark) : pieces[i];
  }
  return `${best.from > 0 ? '…' : ''}${shown.trim()}${i < pieces.length ? '…' : ''}`;
}
