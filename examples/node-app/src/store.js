import { createHash } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { SearchIndex } from './search/index.js';
import { parseQuery, snippet } from './search/query.js';

export class NotFound extends Error {}
export class Conflict extends Error {}
export class Invalid extends Error {}

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} _.-]{0,99}$/u;
const MAX_TEXT = 1 << 20;
const MAX_HISTORY = 50;

/**
 * Notes in a directory, a JSON file each with its history, written to the side and renamed, so that a crash leaves
 * the old one or the new one. Writes to one note are queued; a write names the revision that it changes.
 */
export class Store {
  #directory;
  #notes = new Map();
  #index = new SearchIndex();
  #queues = new Map();

  static async open(directory) {
    await mkdir(directory, { recursive: true });
    const store = new Store(directory);
    for (const file of await readdir(directory)) {
      if (file.endsWith('.part')) await rm(path.join(directory, file));
      if (!file.endsWith('.json')) continue;
      const note = JSON.parse(await readFile(path.join(directory, file), 'utf8'));
      store.#remember(note);
    }
    return store;
  }

  constructor(directory) {
    this.#directory = directory;
  }

  list() {
    return [...this.#notes.values()]
      .map(({ name, revisions }) => ({ name, revision: revisions.at(-1).id, changed: revisions.at(-1).at }))
      .sort((a, b) => a.name.localeCompare(b.name, 'en'));
  }

  get(name, revision) {
    const note = this.#notes.get(name);
    if (!note) throw new NotFound(`no note is called "${name}"`);
    const found = revision === undefined ? note.revisions.at(-1) : note.revisions.find(({ id }) => id === revision);
    if (!found) throw new NotFound(`"${name}" has no revision ${revision}`);
    return { name, revision: found.id, changed: found.at, text: found.text };
  }

  history(name) {
    this.get(name);
    return this.#notes.get(name).revisions.map(({ id, at, text }) => ({ revision: id, changed: at, size: text.length }));
  }

  /** Writes a note. `base` is the revision that the writer has seen, null for a new note. */
  write(name, text, base) {
    if (!NAME.test(name)) throw new Invalid('a name has 1 to 100 letters, digits, blanks, dots, dashes; the first is a letter or digit');
    if (typeof text !== 'string' || text.length > MAX_TEXT) throw new Invalid(`a note is text of at most ${MAX_TEXT} characters`);
    return this.#queued(name, async () => {
      const old = this.#notes.get(name);
      const current = old?.revisions.at(-1).id ?? null;
      if (current !== base) throw new Conflict(`"${name}" is at revision ${current}, not ${base}`);
      if (old?.revisions.at(-1).text === text) return this.get(name);
      const id = createHash('sha256').update(`${current}\0${text}`).digest('hex').slice(0, 12);
      const revisions = [...(old?.revisions ?? []), { id, at: new Date().toISOString(), text }].slice(-MAX_HISTORY);
      await this.#save({ name, revisions });
      this.#remember({ name, revisions });
      return this.get(name);
    });
  }

  remove(name, base) {
    return this.#queued(name, async () => {
      const { revision } = this.get(name);
      if (revision !== base) throw new Conflict(`"${name}" is at revision ${revision}, not ${base}`);
      await rm(this.#file(name));
      this.#notes.delete(name);
      this.#index.remove(name);
    });
  }

  search(text, limit) {
    const query = parseQuery(text);
    return this.#index.search(query, limit).map(({ id, score }) => ({ name: id, score, snippet: snippet(this.get(id).text, query) }));
  }

  /** Waits for every write that has begun. */
  async close() {
    await Promise.allSettled(this.#queues.values());
  }

  #queued(name, task) {
    const turn = (this.#queues.get(name) ?? Promise.resolve()).then(task, task);
    this.#queues.set(name, turn);
    const done = () => this.#queues.get(name) === turn && this.#queues.delete(name);
    turn.then(done, done);
    return turn;
  }

  #remember(note) {
    this.#notes.set(note.name, note);
    this.#index.add(note.name, `${note.name}\n${note.revisions.at(-1).text}`);
  }

  #file(name) {
    return path.join(this.#directory, `${Buffer.from(name).toString('base64url')}.json`);
  }

  async #save(note) {
    const file = this.#file(note.name);
    const handle = await open(`${file}.part`, 'w', 0o600);
    try {
      await handle.writeFile(JSON.stringify(note));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(`${file}.part`, file);
  }
}
