// The window on a log. A box scrolls an empty space as high as all rows, or as high as browsers can bear, with a pane that stays
// where it can be seen and is filled with the rows that belong there: some dozens of elements, however long the log is.
(() => {
  "use strict";
  const height = 20, highest = 8e6, ahead = 10;

  runnerLog.View = class {
    constructor(box, lines, folds) {
      Object.assign(this, { box, lines, folds, top: 0, shift: 0, before: 0, follow: false, wrap: false, times: false, from: 0, to: 0, hits: new Set(), hit: 0, due: 0, pool: new Map() });
      this.clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
      this.space = document.createElement("div"); this.space.className = "space";
      this.pane = document.createElement("div"); this.pane.className = "pane";
      this.sheet = document.createElement("div"); this.sheet.className = "sheet";
      this.pane.append(this.sheet);
      // The policy of the page forbids inline styles; a rule of a sheet made here is none.
      const sheet = new CSSStyleSheet();
      sheet.replaceSync("#log .space{} #log .pane{} #log .sheet{}");
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
      [this.spaceRule, this.paneRule, this.sheetRule] = [...sheet.cssRules].map(rule => rule.style);
      box.addEventListener("scroll", () => this.scrolled(), { passive: true });
      new ResizeObserver(() => this.soon()).observe(box);
    }

    begin() { this.box.replaceChildren(this.space, this.pane); this.paint(); }

    rows() { return this.folds.count(this.lines.total); }
    high() { return this.box.clientHeight; }
    whole() { return this.rows() * height + 8; }
    bottom() { return Math.max(0, this.whole() - this.high()); }

    // scrolled takes the way that the reader scrolled. Where the space is smaller than the rows, a short way is a way in rows, and
    // a long one a place in the whole.
    scrolled() {
      const now = this.box.scrollTop, way = now - this.before, room = this.space.offsetHeight - this.high();
      if (way === 0) { this.soon(); return; }
      this.before = now;
      const small = this.whole() > this.space.offsetHeight + 1;
      if (!small) this.shift = 0;
      else if (Math.abs(way) > 3 * this.high() || now <= 0 || now >= room - 1) {
        const to = now <= 0 ? 0 : now >= room - 1 ? this.bottom() : now / room * this.bottom();
        this.shift = to - now;
      }
      this.top = Math.min(this.bottom(), Math.max(0, now + this.shift));
      const end = this.top >= this.bottom() - height;
      if (way < 0 && !end) this.setFollow(false); else if (way > 0 && end) this.setFollow(true);
      this.soon();
    }

    setFollow(on) {
      if (this.follow === on) return;
      this.follow = on;
      this.box.dispatchEvent(new CustomEvent("log:follow"));
      if (on) this.soon();
    }

    // go scrolls to a place, in pixels of all rows.
    go(top) {
      this.top = Math.min(this.bottom(), Math.max(0, top));
      this.place();
      this.soon();
    }

    // place brings the box to where the rows are.
    place() {
      const full = Math.max(this.whole(), this.high()), space = Math.min(full, highest);
      if (this.spaceHigh !== space) { this.spaceHigh = space; this.spaceRule.height = space + "px"; }
      const room = space - this.high();
      const small = full > space, want = !small ? this.top : this.bottom() ? this.top / this.bottom() * room : 0;
      if (!small || this.box.scrollTop + this.shift !== this.top) {
        const at = Math.round(want);
        if (Math.abs(this.box.scrollTop - at) >= 1) this.box.scrollTop = at;
        this.before = this.box.scrollTop;
        this.shift = small ? this.top - this.before : 0;
      }
    }

    toLine(line, where = .3) {
      this.folds.reveal(line);
      this.setFollow(false);
      this.go(this.folds.rowOf(line) * height - this.high() * where);
    }

    toEnd() { this.setFollow(true); this.go(this.bottom()); }

    soon() { if (!this.due) this.due = requestAnimationFrame(() => { this.due = 0; this.paint(); }); }

    paint() {
      if (!this.pane.isConnected) return;
      if (this.follow) this.top = this.bottom();
      this.place();
      const high = this.high(), rows = this.rows(), end = this.top >= this.bottom() - 1 && this.whole() > high;
      let first = Math.floor(this.top / height);
      const seen = Math.ceil(high / height) + 1;
      if (end) first = Math.max(0, rows - seen);
      const last = Math.min(rows, first + seen);
      this.paneRule.height = high + "px";
      this.pane.classList.toggle("end", end);
      this.sheetRule.transform = end ? "none" : `translateY(${first * height - this.top + 4}px)`;
      const kept = new Map(), nodes = [];
      for (let row = first; row < last; row++) {
        const n = this.folds.lineOf(row);
        const node = this.row(n);
        kept.set(n, node);
        nodes.push(node);
      }
      this.pool = kept;
      if (nodes.length !== this.sheet.children.length || nodes.some((node, i) => node !== this.sheet.children[i])) this.sheet.replaceChildren(...nodes);
      const a = this.folds.lineOf(Math.max(0, first - ahead)), b = rows ? this.folds.lineOf(Math.min(rows - 1, last + ahead)) : 0;
      this.lines.want(a, b - a > 400 ? this.folds.lineOf(Math.max(0, last - 1)) : b);
      this.box.dispatchEvent(new CustomEvent("log:shown", { detail: { first: this.folds.lineOf(first), last: this.folds.lineOf(Math.max(0, last - 1)) } }));
    }

    // row is the element of a line. It is made anew only when what it shows has changed.
    row(n) {
      const line = this.lines.get(n), section = this.folds.byLine.get(n);
      const is = `${line ? line.text.length : -1} ${section ? section.status + this.folds.isFolded(section) + section.last : ""} ${n >= this.from && n <= this.to} ${this.hits.has(n)} ${n === this.hit} ${this.times && line ? line.at : ""}`;
      let node = this.pool.get(n);
      if (node && node.is === is && node.line === (line && line.text)) return node;
      node = document.createElement("div");
      node.is = is; node.line = line && line.text;
      node.id = "L" + n;
      node.className = "l" + (section ? " " + section.kind + (section.exit ? " no" : "") : "") + (n >= this.from && n <= this.to || n === this.hit ? " at" : "") + (this.hits.has(n) ? " hit" : "") + (line ? "" : " wait");
      const link = document.createElement("a"), text = document.createElement("span");
      link.href = "#L" + n; link.tabIndex = -1; link.textContent = n;
      node.append(link);
      if (this.times) {
        const time = document.createElement("time");
        if (line && line.at) { time.dateTime = new Date(line.at).toISOString(); time.textContent = this.clock.format(line.at); }
        node.append(time);
      }
      if (section && this.folds.foldable(section)) node.append(this.toggler(section));
      if (line) runnerLog.show(text, line.text); else text.textContent = "…";
      node.append(text);
      if (line && line.cut) { const more = document.createElement("em"); more.textContent = `${line.cut.toLocaleString()} bytes in all`; node.append(more); }
      if (section && this.folds.isFolded(section)) {
        const folded = document.createElement("i");
        const n = Math.min(section.last, this.lines.total) - section.first;
        folded.textContent = n === 1 ? "1 line" : n.toLocaleString() + " lines";
        node.append(folded);
      }
      return node;
    }

    toggler(section) {
      const folded = this.folds.isFolded(section), button = document.createElement("button");
      button.type = "button"; button.tabIndex = -1;
      button.textContent = folded ? "▸" : "▾";
      button.setAttribute("aria-expanded", String(!folded));
      button.setAttribute("aria-label", (folded ? "Unfold " : "Fold ") + (section.text || section.phase));
      button.addEventListener("click", () => { this.folds.toggle(section); this.setFollow(false); this.go(this.top); });
      return button;
    }
  };
})();
