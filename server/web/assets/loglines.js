// The lines of one log, asked from the API by the thousand, of which the last few dozen are kept: how long a log is costs no memory.
(() => {
  "use strict";
  const size = 1000, most = 40;

  runnerLog.Lines = class {
    constructor(api, query, total, changed) {
      Object.assign(this, { api, query, total, changed, chunks: new Map(), asked: new Map(), times: false });
    }

    // get returns line n (from 1) if it is here: its text, how long it really is where it was cut, and when it came.
    get(n) {
      const key = Math.floor((n - 1) / size), chunk = this.chunks.get(key);
      const line = chunk && chunk[n - 1 - key * size];
      if (line) { this.chunks.delete(key); this.chunks.set(key, chunk); } // the newest used is last
      return line;
    }

    put(n, line) {
      const key = Math.floor((n - 1) / size), at = n - 1 - key * size;
      let chunk = this.chunks.get(key);
      if (!chunk && at === 0) this.chunks.set(key, chunk = []);
      if (!chunk || at > chunk.length) return; // what lies before it is not here: it is asked for when it is looked at
      if (this.times && !line.at) line.at = chunk[at] && chunk[at].at;
      chunk[at] = line;
      while (this.chunks.size > most) this.chunks.delete(this.chunks.keys().next().value);
    }

    take(answer, now) {
      const cut = new Map((answer.cut || []).map(c => [c.line, c.bytes]));
      const times = answer.times || [];
      let i = 0;
      answer.lines.forEach((text, k) => {
        const n = answer.first + k;
        while (i + 1 < times.length && times[i + 1].line <= n) i++;
        const at = times.length && times[i].line <= n ? Date.parse(times[i].at) : now;
        this.put(n, { text, cut: cut.get(n), at });
      });
      this.total = Math.max(this.total, answer.total);
    }

    // want asks for the lines from one to another that are not here. What was asked for before and is wanted no more is given up.
    want(from, to) {
      const wanted = new Set();
      for (let n = from; n <= Math.min(to, this.total); n++) {
        if (!this.get(n)) wanted.add(Math.floor((n - 1) / size));
      }
      for (const [key, request] of this.asked) if (!wanted.has(key)) { request.abort(); this.asked.delete(key); }
      for (const key of wanted) if (!this.asked.has(key)) this.fetch(key);
    }

    async fetch(key) {
      const request = new AbortController();
      this.asked.set(key, request);
      try {
        const have = (this.chunks.get(key) || []).length;
        const answer = await this.ask("lines", { from: key * size + 1 + have, count: size - have, times: this.times }, request.signal);
        if (answer) this.take(answer);
      } catch (failure) {
        if (failure.name === "AbortError") return;
        await new Promise(resolve => setTimeout(resolve, 1000)); // the daemon is away
      } finally {
        if (this.asked.get(key) === request) this.asked.delete(key);
      }
      this.changed();
    }

    async ask(what, params, signal) {
      const answer = await fetch(`${this.api}/${what}?${this.query}&${new URLSearchParams(params)}`, { signal, headers: { Accept: "application/json" } });
      if (answer.ok) return answer.json();
      if (answer.status === 422) throw new Error((await answer.json()).detail);
      if (answer.status === 401) location.reload();
      return null;
    }

    forget() { this.chunks.clear(); }
  };
})();
