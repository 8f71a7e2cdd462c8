// The search of a log: asked from the API page by page, so that a million lines are searched without being here.
(() => {
  "use strict";
  const most = 20000;

  runnerLog.Search = class {
    constructor(form, lines, view) {
      Object.assign(this, { form, lines, view, found: [], at: -1, turn: 0, request: null });
      this.says = document.getElementById("log-found");
      this.back = document.getElementById("log-prev");
      this.on = document.getElementById("log-next");
      form.addEventListener("submit", event => { event.preventDefault(); if (this.asked() === this.last && this.found.length) this.step(1); else this.begin(); });
      form.addEventListener("change", event => { if (event.target.type === "checkbox" && form.q.value) this.begin(); });
      form.q.addEventListener("search", () => { if (!form.q.value) this.clear(); });
      this.back.addEventListener("click", () => this.step(-1));
      this.on.addEventListener("click", () => this.step(1));
      if (form.q.value) this.begin();
    }

    asked() { return JSON.stringify([this.form.q.value, this.form.regexp.checked, this.form.case.checked]); }

    clear() {
      if (this.request) this.request.abort();
      this.found = []; this.at = -1; this.last = "";
      this.view.hits = new Set(); this.view.hit = 0;
      this.tell("");
      this.view.soon();
    }

    async begin() {
      this.clear();
      if (!this.form.q.value) return;
      this.last = this.asked();
      const turn = ++this.turn, request = this.request = new AbortController();
      const q = { q: this.form.q.value, regexp: this.form.regexp.checked, case: this.form.case.checked, limit: 1000 };
      this.tell("searching");
      try {
        for (let from = 1; from && this.found.length < most;) {
          const answer = await this.lines.ask("search", { ...q, from }, request.signal);
          if (!answer || turn !== this.turn) return;
          for (const m of answer.matches) { this.found.push(m.line); this.view.hits.add(m.line); }
          const first = this.at < 0 && this.found.length;
          from = answer.next || 0;
          this.more = from > 0;
          if (first) this.nearest(); else this.count();
          this.view.soon();
        }
        this.count();
      } catch (failure) {
        if (failure.name !== "AbortError") this.tell(failure.message || "the daemon does not answer");
      }
    }

    // nearest goes to the first match at or behind what is seen, or to the first of all.
    nearest() {
      const line = this.view.folds.lineOf(Math.floor(this.view.top / 20));
      const next = this.found.findIndex(n => n >= line);
      this.at = (next < 0 ? 0 : next) - 1;
      this.step(1);
    }

    step(by) {
      if (!this.found.length) return;
      this.at = (this.at + by + this.found.length) % this.found.length;
      this.view.hit = this.found[this.at];
      this.view.toLine(this.view.hit);
      this.count();
    }

    count() {
      const n = this.found.length.toLocaleString() + (this.more ? "+" : "");
      this.tell(this.found.length ? `${(this.at + 1).toLocaleString()} of ${n}` : "nothing found");
    }

    tell(text) {
      this.says.textContent = text;
      this.back.disabled = this.on.disabled = !this.found.length;
    }
  };
})();
