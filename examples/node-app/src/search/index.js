import { words } from './tokenize.js';

// BM25's constants, as everybody uses them: how fast repetition stops counting, and how much length matters.
const K1 = 1.2;
const B = 0.75;

/** An inverted index with positions. Documents are added, replaced and removed at any time. */
export class SearchIndex {
  #postings = new Map(); // term -> Map(id -> positions)
  #lengths = new Map(); // id -> words
  #terms = new Map(); // id -> terms, to remove it again
  #total = 0;

  get size() {
    return this.#lengths.size;
  }

  get terms() {
    return this.#postings.size;
  }

  add(id, text) {
    this.remove(id);
    const own = new Set();
    let length = 0;
    for (const { term, position, stop } of words(text)) {
      length += 1;
      if (stop) continue;
      let documents = this.#postings.get(term);
      if (!documents) this.#postings.set(term, (documents = new Map()));
      let positions = documents.get(id);
      if (!positions) documents.set(id, (positions = []));
      positions.push(position);
      own.add(term);
    }
    this.#lengths.set(id, length);
    this.#terms.set(id, own);
    this.#total += length;
  }

  remove(id) {
    if (!this.#lengths.has(id)) return false;
    for (const term of this.#terms.get(id)) {
      const documents = this.#postings.get(term);
      documents.delete(id);
      if (documents.size === 0) this.#postings.delete(term);
    }
    this.#total -= this.#lengths.get(id);
    this.#lengths.delete(id);
    this.#terms.delete(id);
    return true;
  }

  /** The best documents for a parsed query (see query.js), best first: [{ id, score }]. */
  search({ terms, phrases, excluded }, limit = 20) {
    let candidates = null;
    const scores = new Map();
    for (const { term, prefix } of terms) {
      const documents = this.#documents(term, prefix);
      candidates = candidates ? new Set([...candidates].filter((id) => documents.has(id))) : new Set(documents.keys());
      for (const id of candidates) scores.set(id, (scores.get(id) ?? 0) + this.#score(documents, id));
    }
    for (const phrase of phrases) {
      const holding = this.#holding(phrase);
      candidates = candidates ? new Set([...candidates].filter((id) => holding.has(id))) : holding;
      for (const { term } of phrase) {
        for (const id of candidates) scores.set(id, (scores.get(id) ?? 0) + this.#score(this.#documents(term, false), id));
      }
    }
    for (const { term, prefix } of excluded) {
      for (const id of this.#documents(term, prefix).keys()) candidates?.delete(id);
    }
    return [...(candidates ?? [])]
      .map((id) => ({ id, score: scores.get(id) ?? 0 }))
      .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
      .slice(0, limit);
  }

  #documents(term, prefix) {
    if (!prefix) return this.#postings.get(term) ?? new Map();
    const merged = new Map();
    for (const [other, documents] of this.#postings) {
      if (!other.startsWith(term)) continue;
      for (const [id, positions] of documents) merged.set(id, [...(merged.get(id) ?? []), ...positions]);
    }
    return merged;
  }

  #score(documents, id) {
    const frequency = documents.get(id)?.length ?? 0;
    const rarity = Math.log(1 + (this.size - documents.size + 0.5) / (documents.size + 0.5));
    const norm = 1 - B + (B * this.#lengths.get(id)) / (this.#total / this.size || 1);
    return (rarity * frequency * (K1 + 1)) / (frequency + K1 * norm);
  }

  /** The documents in which the phrase's words stand side by side. */
  #holding(phrase) {
    const found = new Set();
    if (phrase.length === 0) return found;
    const [first, ...rest] = phrase;
    for (const [id, positions] of this.#documents(first.term, false)) {
      const beside = (start) => rest.every(({ term, offset }) => this.#postings.get(term)?.get(id)?.includes(start + offset - first.offset));
      if (positions.some(beside)) found.add(id);
    }
    return found;
  }
}
