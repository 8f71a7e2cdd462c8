// What of a log is folded. Lines count from 1, rows are the lines that are not folded away, from 0. A section's first line stays.
(() => {
  "use strict";

  runnerLog.Folds = class {
    constructor() { this.sections = []; this.folded = new Set(); this.hidden = []; this.byLine = new Map(); }

    static id(s) { return `${s.kind} ${s.phase} ${s.index} ${s.finally || false}`; }

    // outline takes the sections of a log, and keeps what the reader has folded.
    outline(sections, total) {
      this.sections = sections.map(s => ({ ...s, last: s.first + s.lines - 1 }));
      for (const s of this.sections) if (s.status === "IN_PROGRESS") s.last = Infinity;
      this.byLine = new Map(this.sections.map(s => [s.first, s]));
      this.arrange(total);
    }

    // arrange makes the intervals of hidden lines, each with how many are hidden before it.
    arrange() {
      const all = this.sections.filter(s => this.folded.has(runnerLog.Folds.id(s)) && s.last > s.first).map(s => [s.first + 1, s.last]).sort((a, b) => a[0] - b[0]);
      this.hidden = [];
      let before = 0;
      for (const [from, to] of all) {
        const newest = this.hidden[this.hidden.length - 1];
        if (newest && from <= newest.to + 1) { before += Math.max(0, to - newest.to); newest.to = Math.max(newest.to, to); continue; }
        this.hidden.push({ from, to, before });
        before += to - from + 1;
      }
      let sum = 0;
      for (const h of this.hidden) { h.before = sum; sum += h.to - h.from + 1; }
    }

    foldable(s) { return s.last > s.first; }
    isFolded(s) { return this.folded.has(runnerLog.Folds.id(s)); }

    toggle(s, fold = !this.isFolded(s)) {
      if (fold) this.folded.add(runnerLog.Folds.id(s)); else this.folded.delete(runnerLog.Folds.id(s));
      this.arrange();
    }

    all(fold, which = () => true) {
      this.folded = new Set(fold ? this.sections.filter(s => s.kind === "command" && which(s)).map(runnerLog.Folds.id) : []);
      this.arrange();
    }

    // reveal unfolds what hides a line.
    reveal(line) {
      for (const s of this.sections) if (this.isFolded(s) && line > s.first && line <= s.last) this.folded.delete(runnerLog.Folds.id(s));
      this.arrange();
    }

    count(total) {
      let n = total;
      for (const h of this.hidden) n -= Math.max(0, Math.min(h.to, total) - h.from + 1);
      return n;
    }

    lineOf(row) {
      let line = row + 1;
      for (const h of this.hidden) { if (h.from > line) break; line += h.to - h.from + 1; }
      return line;
    }

    rowOf(line) {
      let row = line - 1;
      for (const h of this.hidden) {
        if (h.from > line) break;
        row -= Math.min(h.to, line) - h.from + 1;
      }
      return row;
    }

    sectionAt(line) {
      let found = null;
      for (const s of this.sections) if (line >= s.first && line <= s.last) found = s;
      return found;
    }
  };
})();
