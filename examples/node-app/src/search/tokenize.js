const STOP = new Set(['a', 'an', 'and', 'are', 'as', 'at', 'be', 'by', 'for', 'from', 'in', 'is', 'it', 'of', 'on', 'or', 'that', 'the', 'to', 'was', 'with']);

/** Words of a text in order, each with its place: folded, without accents. Stop words keep their place. */
export function* words(text) {
  let position = 0;
  for (const match of text.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').matchAll(/[\p{L}\p{N}]+/gu)) {
    const word = match[0].toLowerCase();
    yield { word, term: stem(word), position, stop: STOP.has(word) };
    position += 1;
  }
}

/** A light English stemmer: plurals, -ing, -ed, -ly. It errs on the side of leaving a word alone. */
export function stem(word) {
  let stemmed = word;
  if (stemmed.length > 4 && stemmed.endsWith('ies')) stemmed = `${stemmed.slice(0, -3)}y`;
  else if (stemmed.length > 4 && /(?:ss|x|ch|sh)es$/.test(stemmed)) stemmed = stemmed.slice(0, -2);
  else if (stemmed.length > 3 && /[^su]s$/.test(stemmed)) stemmed = stemmed.slice(0, -1);
  for (const ending of ['ing', 'ed', 'ly']) {
    const root = stemmed.slice(0, -ending.length);
    if (stemmed.endsWith(ending) && root.length > 2 && /[aeiouy]/.test(root)) {
      stemmed = /([^aeiousl])\1$/.test(root) ? root.slice(0, -1) : root;
      break;
    }
  }
  return stemmed;
}
